#include "net/embeddings.hpp"

#include "net/json_reader.hpp"
#include "net/json_tree.hpp"
#include "net/vector_index.hpp"

#include <charconv>

namespace mainstay {

namespace {

constexpr std::size_t most_dimensions = 8192;

/// Depths: 1 in the answer, 2 in `data` or `usage`, 3 in an entry of `data`, 4 in its vector.
struct answer_reader : json::handler {
  embedding found;
  std::size_t vectors = 0;
  int depth = 0;
  std::string_view section; // of known names only: they outlive the pass
  bool is_embedding = false, is_total = false;

  bool key(std::string_view name) {
    if (depth == 1) section = name == "data" ? "data" : name == "usage" ? "usage" : "";
    is_embedding = depth == 3 && section == "data" && name == "embedding";
    is_total = depth == 2 && section == "usage" && name == "total_tokens";
    return true;
  }
  bool number(std::string_view spelled) {
    if (is_total && depth == 2) found.tokens = json::whole_number(spelled).value_or(0);
    if (!is_embedding || depth != 4) return true;
    if (found.values.size() == most_dimensions) return false;
    float x = 0;
    const auto [end, wrong] = std::from_chars(spelled.data(), spelled.data() + spelled.size(), x);
    if (wrong == std::errc::result_out_of_range) x = 0; // too small to count
    found.values.push_back(x);
    return end == spelled.data() + spelled.size();
  }
  bool string(std::string_view) { return !in_vector(); }
  bool boolean(bool) { return !in_vector(); }
  bool null() { return !in_vector(); }
  bool begin_object() { return !in_vector() && (++depth, true); }
  bool end_object() { return --depth, true; }
  bool begin_array() {
    if (in_vector()) return false;
    if (++depth == 4 && is_embedding) ++vectors;
    return true;
  }
  bool end_array() {
    if (depth-- == 4) is_embedding = false;
    return true;
  }
  bool in_vector() const { return is_embedding && depth == 4; }
};

} // namespace

std::string embeddings_request(std::string_view model, std::string_view text) {
  auto body = json::value::make_object();
  body.set("model", json::value::make_string(std::string(model)));
  body.set("input", json::value::make_string(std::string(text)));
  body.set("encoding_format", json::value::make_string("float"));
  return json::to_text(body);
}

std::optional<embedding> read_embedding(std::string_view answer) {
  answer_reader reader;
  if (!json::read(answer, reader) || reader.vectors != 1 || !is_direction(reader.found.values)) return std::nullopt;
  return std::move(reader.found);
}

} // namespace mainstay
