// A provider's whole answers and errors: told as chunks and put together again they say the same.
#include "net/chat_answer.hpp"
#include "net/batch_answer.hpp"
#include "net/cached_answer.hpp"
#include "net/embeddings.hpp"
#include "net/json_tree.hpp"
#include "net/provider_error_body.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace mainstay;

namespace {

bytes_ptr assembled(const std::vector<std::string>& chunks) {
  completion_assembler whole;
  for (const auto& chunk : chunks) whole.add(make_bytes(chunk));
  return whole.result();
}

/// Members in the order of their names.
json::value sorted(json::value v) {
  for (auto& item : v.items) item = sorted(std::move(item));
  if (v.is(json::kind::object))
    std::ranges::stable_sort(v.items, {}, [](const auto& item) { return std::string_view(item.name); });
  return v;
}
std::string in_order(std::string_view text) { return json::to_text(sorted(*json::parse(text))); }

/// Of two members of one name readers may choose either.
bool has_twins(const json::value& v) {
  if (v.is(json::kind::object))
    for (std::size_t i = 0; i < v.items.size(); ++i)
      if (v.find(v.items[i].name) != &v.items[i]) return true;
  return std::ranges::any_of(v.items, has_twins);
}

void check_completion(std::string_view input) {
  if (const auto tree = json::parse(input); tree && has_twins(*tree)) return;
  const auto facts = read_completion(input);
  const auto chunks = chunks_of(input, true);
  if (chunks.empty()) return;
  for (const auto& chunk : chunks) MUST(read_chunk(chunk).valid && json::parse(chunk));
  const auto once = assembled(chunks);
  if (!once) return; // some choice has not ended
  const auto again = read_completion(*once);
  MUST(again.valid);
  MUST(again.id == facts.id && again.model == facts.model && again.finish_reason == facts.finish_reason);
  // What has been put together once stays as it is.
  const auto twice = assembled(chunks_of(*once, true));
  MUST(twice && in_order(*twice) == in_order(*once));
}

void check_adopted(std::string_view input) {
  if (!read_chunk(input).valid) return;
  const auto adopted = adopt_chunk(input, "id-1", "model-1", "te\"xt");
  const auto facts = read_chunk(adopted);
  MUST(json::parse(adopted).has_value() == json::parse(input).has_value());
  if (facts.valid && json::parse(input)) MUST(facts.id == "id-1" && facts.model == "model-1");
}

void check_error(std::string_view input) {
  for (int status : {400, 429, 500}) {
    const header_list headers{{"retry-after", std::string(input.substr(0, 40))}};
    const auto error = read_error(status, headers, input, utc_time{});
    MUST(error.message.size() <= 2000);
    for (unsigned char c : error.message) MUST(c >= 0x20 && c != 0x7f);
    if (error.retry_after) MUST(*error.retry_after >= duration::zero());
    MUST(json::parse(error_body(error.message, error.type, error.code, error.param)));
    (void)classify(error);
    (void)feature_refused(error);
  }
}

void check_batch(std::string_view input) {
  const std::vector<batch_part> parts{{"a", 3, 0}, {"b", 4, 20}};
  const auto split = split_batch(input, parts, 10, utc_time{});
  MUST(split.completions.size() == parts.size());
  for (const auto& completion : split.completions)
    if (completion) MUST(read_completion(*completion).valid);
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  check_completion(input);
  check_adopted(input);
  check_error(input);
  check_batch(input);
  if (const auto e = read_embedding(input)) MUST(!e->values.empty() && e->values.size() <= 8192);
  (void)read_answer(request_kind::embeddings, input);
  if (const auto kept = read_cached_answer(input)) MUST(read_cached_answer(to_text(kept)).born == kept.born);
}
