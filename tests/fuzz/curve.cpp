// Strangers at a ZeroMQ door with CURVE: frames in any order and of any size, and those that a client makes with its
// key, whole or altered. The input is a list of steps, so that the fuzzer gets behind the boxes, which it could not
// guess. Nobody is let in but the listed client by its own INITIATE, no frame is heard that it did not send, none twice
// or out of order, and nothing is held beyond the limits.
#include "net/curve_session.hpp"
#include "net/zmtp_wire.hpp"

#include "tests/fuzz/fuzz.hpp"
#include "tests/net/curve_peer.hpp"

#include <memory>

using namespace mainstay;
using namespace mainstay::mq;
using mainstay::fuzz::cut;
using mainstay::fuzz::draws;

namespace {

/// What libsodium draws from: the same for every try, so that a finding can be shown again.
draws* source = nullptr;
void fill(void* to, std::size_t size) {
  for (auto* p = static_cast<unsigned char*>(to); size > 0; --size) *p++ = static_cast<unsigned char>(source->next());
}
std::uint32_t word() { return static_cast<std::uint32_t>(source->next()); }
randombytes_implementation repeatable{.implementation_name = [] { return "repeatable"; },
                                      .random = word,
                                      .stir = nullptr,
                                      .uniform = nullptr,
                                      .buf = fill,
                                      .close = nullptr};

struct people {
  test::key_pair door, listed, stranger;
  std::shared_ptr<const curve_keys> keys = make_curve_keys(door.secret_key, {listed.public_key});
};
const people& everybody() {
  static const people all = [] {
    static draws first("");
    source = &first;
    randombytes_set_implementation(&repeatable);
    return people{};
  }();
  return all;
}

class steps {
public:
  explicit steps(std::string_view input) : rest_(input) {}
  bool left() const { return !rest_.empty(); }
  unsigned char byte() {
    if (rest_.empty()) return 0;
    const auto b = static_cast<unsigned char>(rest_[0]);
    rest_.remove_prefix(1);
    return b;
  }
  /// So many bytes as the next one says.
  std::string text() {
    const std::string out(rest_.substr(0, byte()));
    rest_.remove_prefix(std::min(out.size(), rest_.size()));
    return out;
  }

private:
  std::string_view rest_;
};

constexpr wire_limits limits{300, 8, 6};

class visit {
public:
  visit(steps script, draws draw)
    : script_(script), draw_(draw), listed_(script_.byte() % 4 != 0),
      peer_(everybody().door.public_key, listed_ ? everybody().listed : everybody().stranger),
      reader_(limits, std::make_unique<curve_session>(everybody().keys)) {}

  void to_the_reader() {
    hear(std::string(greeting(true)));
    for (int n = 0; n < 40 && script_.left() && !faulty_; ++n) {
      auto made = step();
      hear(framed(made.bytes, made.wire));
      if (made.ends_the_handshake && orderly_ && !faulty_) MUST(reader_.is_ready());
    }
    if (reader_.is_ready()) MUST(reader_.curve()->client_key() == everybody().listed.public_key);
  }

  /// To the session's own functions, of which the reader would never call some in this order.
  void to_the_session() {
    curve_session session(everybody().keys);
    bool in = false;
    for (int n = 0; n < 40 && script_.left(); ++n) {
      auto made = step();
      std::string answer;
      unsigned char flags = 0;
      switch (made.wire % 8 < 3 ? made.wire % 8 : made.kind) {
      case 1:
        if (session.hello(made.bytes, answer)) MUST(peer_.take_welcome(answer));
        break;
      case 2: {
        const auto found = session.initiate(made.bytes, answer);
        if (found == curve_session::verdict::malformed) break;
        MUST(made.bytes == own_initiate_ && (found == curve_session::verdict::fine) == listed_);
        if (listed_) in = true;
        break;
      }
      default:
        if (!session.open(made.bytes, flags)) break;
        MUST(in);
        must_be_sent(made.bytes);
      }
      MUST(session.client_key() == (in ? everybody().listed.public_key : ""));
    }
  }

private:
  struct command {
    std::string bytes;
    int kind;           // as of script
    unsigned char wire; // how it is framed
    bool ends_the_handshake = false;
  };

  /// What it is, what is in it, how it is altered, how it is framed.
  command step() {
    const auto what = script_.byte();
    command c{{}, what % 5, 0};
    bool own = true;
    if (c.kind == 0) {
      c.bytes = script_.text();
      own = false;
    } else if (c.kind == 1) {
      c.bytes = peer_.hello();
    } else if (c.kind == 2) {
      const auto said = script_.text();
      const bool for_this_door = what < 200;
      c.bytes = peer_.initiate(said.empty() ? test::dealer_properties : said,
                               for_this_door ? "" : everybody().stranger.public_key);
      if (for_this_door) own_initiate_ = c.bytes;
      c.ends_the_handshake = for_this_door && listed_ && said.empty();
    } else if (c.kind == 3) {
      const auto flags = script_.byte();
      const auto said = script_.text();
      c.bytes = peer_.message(said, flags);
      sent_.push_back(said);
    } else {
      c.bytes = last_; // once more
      own = false;
    }
    last_ = c.bytes;
    if (alter(c.bytes)) own = false;
    c.wire = script_.byte();
    if (!own || c.wire % 4 != 0 || c.kind != ++place_) orderly_ = false;
    return c;
  }

  bool alter(std::string& bytes) {
    const auto how = script_.byte();
    if (how < 128) return false;
    const auto at = bytes.empty() ? 0 : (script_.byte() * 256u + script_.byte()) % bytes.size();
    if (how < 192 && !bytes.empty())
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << how % 8));
    else if (how < 224)
      bytes.resize(at);
    else
      bytes += script_.text();
    return true;
  }

  /// As a command or a message, its size in one byte or eight, and now and then not its size.
  static std::string framed(const std::string& bytes, unsigned char wire) {
    std::uint64_t size = bytes.size();
    if (wire % 4 == 3) size = wire < 128 ? size + wire : ~std::uint64_t{wire};
    const bool is_long = size > 255 || wire % 4 == 2;
    std::string out(1, static_cast<char>((is_long ? 2 : 0) | (wire % 4 == 1 ? 0 : 4)));
    for (int shift = is_long ? 56 : 0; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift & 0xff);
    return out += bytes;
  }

  void hear(const std::string& bytes) {
    const auto pieces = draw_.coin() ? cut(bytes, draw_) : std::vector<std::string>{bytes};
    for (const auto& piece : pieces)
      for (std::string_view rest = piece; !rest.empty() && !faulty_;) happened(reader_.feed(rest));
  }

  void happened(wire_reader::event e) {
    using event = wire_reader::event;
    MUST(e == event::fault || reader_.held() <= limits.message_bytes + curve_session::overhead);
    MUST(reader_.reply().size() <= 300);
    if (e == event::welcome) MUST(peer_.take_welcome(reader_.reply().substr(2)));
    if (e == event::ready) {
      MUST(listed_ && !own_initiate_.empty());
      MUST(peer_.take_ready(reader_.reply().substr(2)).find("ROUTER") != std::string::npos);
    }
    if (e == event::message) {
      const auto frames = reader_.take_frames();
      MUST(reader_.is_ready() && !frames.empty() && frames.size() <= limits.kept_frames);
      for (const auto& frame : frames) must_be_sent(frame);
      answer(frames.back());
    }
    if (e == event::ping) MUST(reader_.is_ready() && reader_.ping_context().size() <= 16);
    if (e != event::fault) return;
    faulty_ = true;
    MUST(!reader_.fault().text.empty() && reader_.fault().status >= 400);
    if (!reader_.reply().empty()) MUST(!listed_ && !reader_.is_ready());
    MUST(reader_.give_up().size() <= limits.kept_frames && reader_.held() == 0);
    std::string_view more = "more";
    MUST(reader_.feed(more) == event::fault);
  }

  /// After all that were heard before.
  void must_be_sent(const std::string& frame) {
    while (heard_ < sent_.size() && sent_[heard_] != frame) ++heard_;
    MUST(heard_ < sent_.size());
    ++heard_;
  }

  void answer(const std::string& text) {
    std::string lead, out;
    append_frame(lead, "lead", true);
    append_frame_head(lead, text.size(), false);
    append_sealed(out, *reader_.curve(), lead, text);
    const auto first = std::size_t{2} + 4 + curve_session::overhead;
    MUST(peer_.take_message(out.substr(2, first - 2)) == "\1lead");
    MUST(peer_.take_message(out.substr(first + (out[first] & 2 ? 9 : 2))) == std::string(1, '\0') + text);
  }

  steps script_;
  draws draw_;
  const bool listed_;
  test::curve_peer peer_;
  wire_reader reader_;
  std::string last_, own_initiate_;
  std::vector<std::string> sent_;
  std::size_t heard_ = 0; // of sent_
  int place_ = 0;         // in the handshake, as kinds of steps
  bool orderly_ = true, faulty_ = false;
};

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  everybody();
  draws draw(input), random("random");
  source = &random;
  visit(steps(input), draw).to_the_reader();
  visit(steps(input), draw).to_the_session();
}
