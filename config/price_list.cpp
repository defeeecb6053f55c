#include "config/price_list.hpp"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>

namespace mainstay::config {

namespace {

constexpr std::size_t largest_list = 64u << 20; // bytes; the field's full list has 2 MB
constexpr double dearest_token = 100;           // US dollars: more is a slip of unit
constexpr std::string_view sample = "sample_spec", above = "_above_", thousand_tokens = "k_tokens";

struct wrong {
  std::string what;
};

/// US dollars; none: not there.
std::optional<double> price_in(const rapidjson::Value& model, const std::string& member) {
  const auto found = model.FindMember(member.c_str());
  if (found == model.MemberEnd() || found->value.IsNull()) return std::nullopt;
  if (!found->value.IsNumber()) throw wrong{member + ": is no number"};
  const auto usd = found->value.GetDouble();
  if (!(usd >= 0 && usd <= dearest_token)) throw wrong{member + ": must be US dollars per token, 0 to 100"};
  return usd;
}

token_prices prices_in(const rapidjson::Value& model, const std::string& suffix, const token_prices& otherwise) {
  token_prices p;
  p.input = price_in(model, "input_cost_per_token" + suffix).value_or(otherwise.input);
  p.output = price_in(model, "output_cost_per_token" + suffix).value_or(otherwise.output);
  p.cached = price_in(model, "cache_read_input_token_cost" + suffix);
  if (!p.cached) p.cached = otherwise.cached;
  p.cache_write = price_in(model, "cache_creation_input_token_cost" + suffix);
  if (!p.cache_write) p.cache_write = otherwise.cache_write;
  p.reasoning = price_in(model, "output_cost_per_reasoning_token" + suffix);
  if (!p.reasoning && suffix.empty()) p.reasoning = otherwise.reasoning;
  return p;
}

/// "input_cost_per_token_above_128k_tokens": 128,000.
std::optional<std::uint64_t> threshold_of(std::string_view member) {
  const auto at = member.find(above);
  if (at == member.npos) return std::nullopt;
  std::uint64_t thousands = 0;
  const auto* begin = member.data() + at + above.size();
  const auto* end = member.data() + member.size();
  const auto [rest, error] = std::from_chars(begin, end, thousands);
  if (error != std::errc{} || std::string_view(rest, static_cast<std::size_t>(end - rest)) != thousand_tokens)
    return std::nullopt;
  return thousands * 1000;
}

std::optional<model_price> read_model(const rapidjson::Value& model) {
  if (!model.IsObject()) throw wrong{"is no object"};
  if (!model.HasMember("input_cost_per_token")) return std::nullopt;
  model_price out;
  out.usual = prices_in(model, "", {});
  for (const auto& m : model.GetObject())
    if (const auto tokens = threshold_of(m.name.GetString()))
      out.long_prompts.try_emplace(
          *tokens, prices_in(model, std::string(above) + std::to_string(*tokens / 1000) + std::string(thousand_tokens),
                             out.usual));
  return out;
}

} // namespace

std::variant<price_table, std::string> parse_price_list(const std::string& json) {
  rapidjson::Document doc;
  doc.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  if (doc.HasParseError())
    return std::string("is no JSON: ") + rapidjson::GetParseError_En(doc.GetParseError()) + " (byte " +
           std::to_string(doc.GetErrorOffset()) + ")";
  if (!doc.IsObject()) return "must be an object whose members are models";
  price_table out;
  for (const auto& m : doc.GetObject()) {
    const std::string name(m.name.GetString(), m.name.GetStringLength());
    if (name == sample) continue; // the schema's own explanation
    try {
      if (auto price = read_model(m.value)) out.add(name, std::move(*price));
    } catch (const wrong& w) { return name.substr(0, 256) + ": " + w.what; }
  }
  return out;
}

std::variant<price_table, std::string> read_price_list(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return "cannot read " + path + ": " + std::strerror(errno);
  const auto size = in.tellg();
  if (size < 0 || static_cast<std::size_t>(size) > largest_list) return path + " is larger than 64 MiB";
  std::string text(static_cast<std::size_t>(size), '\0');
  in.seekg(0);
  if (!in.read(text.data(), size)) return "cannot read " + path;
  auto read = parse_price_list(text);
  if (auto* problem = std::get_if<std::string>(&read)) return path + ": " + *problem;
  return read;
}

} // namespace mainstay::config
