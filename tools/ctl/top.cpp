#include "tools/ctl/top.hpp"

#include "tools/ctl/nodes_screen.hpp"
#include "tools/ctl/top_screen.hpp"

#include <caf/io/all.hpp>

#include <clocale>
#include <cstdlib>
#include <cstring>
#include <curses.h>
#include <functional>
#include <iostream>
#include <langinfo.h>
#include <mutex>
#include <unistd.h>

namespace mainstay::ctl {

namespace {

using std::chrono::steady_clock;
constexpr auto refresh = std::chrono::seconds(1);
constexpr auto patience = std::chrono::seconds(5);        // with one question
constexpr auto silence = std::chrono::milliseconds(2500); // after which the screen says so
constexpr int key_poll_ms = 100;
constexpr screen_size one_sample{100, 60};
constexpr int exit_unreachable = 2, escape = 27;

/// The latest answer, between the actor that asks and the screen.
struct latest_sample {
  std::mutex guard;
  std::vector<std::string> words;
  std::string json; // "" before the first one
  steady_clock::time_point at = steady_clock::now();
  std::uint64_t number = 0;
};

/// Asks once a second; connects first, and again when the connection broke.
struct sampler_state {
  caf::event_based_actor* self = nullptr;
  console_address where;
  std::shared_ptr<latest_sample> to;
  console_actor console;

  void tick() { console ? ask() : connect(); }

  void connect() {
    self->request(connector(self->system()), patience, caf::connect_atom::value, where.host, where.port)
        .then(
            [this](const caf::node_id&, const caf::strong_actor_ptr& found, const std::set<std::string>&) {
              if (found) console = caf::actor_cast<console_actor>(found);
              console ? ask() : later();
            },
            [this](const caf::error&) { later(); });
  }

  void ask() {
    self->request(console, patience, console_ask{to->words})
        .then(
            [this](console_reply& r) {
              if (r.ok) {
                const std::lock_guard lock(to->guard);
                to->json = std::move(r.json);
                to->at = steady_clock::now();
                ++to->number;
              }
              later();
            },
            [this](const caf::error&) {
              console = nullptr;
              later();
            });
  }

  void later() { self->delayed_send(self, refresh, caf::tick_atom::value); }
};

caf::behavior sample(caf::stateful_actor<sampler_state>* self, console_address where,
                     std::shared_ptr<latest_sample> to) {
  auto& st = self->state;
  st.self = self;
  st.where = std::move(where);
  st.to = std::move(to);
  self->send(self, caf::tick_atom::value);
  return {[&st](caf::tick_atom) { st.tick(); }};
}

/// The terminal, while it is ours.
class terminal {
public:
  terminal() {
    std::setlocale(LC_ALL, "");
    if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
      std::setlocale(LC_CTYPE, "C.UTF-8"); // of hardly a terminal today
    screen_ = newterm(nullptr, stdout, stdin);
    if (!screen_) return;
    set_term(screen_);
    set_escdelay(25);
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    timeout(key_poll_ms);
    if (std::getenv("NO_COLOR") || !has_colors()) return;
    start_color();
    use_default_colors();
    const short colours[] = {COLOR_GREEN, COLOR_YELLOW, COLOR_RED, COLOR_CYAN};
    for (short i = 0; i < 4; ++i) init_pair(static_cast<short>(i + 1), colours[i], -1);
    coloured_ = true;
  }
  ~terminal() {
    if (!screen_) return;
    endwin();
    delscreen(screen_);
  }
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;

  bool there() const noexcept { return screen_ != nullptr; }
  screen_size size() const {
    return {static_cast<std::size_t>(std::max(COLS, 1)), static_cast<std::size_t>(std::max(LINES, 1))};
  }

  enum class event { none, resized, enough };
  /// Waits for a moment. Escape alone is enough; what only begins with it is a key that nobody knows.
  event wait() {
    const int key = getch();
    if (key == KEY_RESIZE) return event::resized;
    if (key == 'q' || key == 'Q') return event::enough;
    if (key != escape) return event::none;
    timeout(0);
    const bool alone = getch() == ERR;
    while (!alone && getch() != ERR) {}
    timeout(key_poll_ms);
    return alone ? event::enough : event::none;
  }

  void show(const std::vector<screen_line>& lines) {
    erase();
    int row = 0;
    for (const auto& line : lines) {
      move(row++, 0);
      for (const auto& p : line) {
        const auto how = attributes(p.how);
        attron(how);
        addstr(p.text.c_str());
        attroff(how);
      }
    }
    ::refresh();
  }

private:
  attr_t attributes(tone t) const {
    const auto pair = [this](int n) -> attr_t { return coloured_ ? static_cast<attr_t>(COLOR_PAIR(n)) : A_NORMAL; };
    switch (t) {
    case tone::plain: return A_NORMAL;
    case tone::title: return A_BOLD;
    case tone::quiet: return A_DIM;
    case tone::good: return pair(1);
    case tone::warn: return pair(2) | A_BOLD;
    case tone::bad: return pair(3) | A_BOLD;
    case tone::bar: return pair(4);
    }
    return A_NORMAL;
  }

  SCREEN* screen_ = nullptr;
  bool coloured_ = false;
};

using painter = std::function<std::vector<screen_line>(const std::string&, screen_size, std::chrono::seconds,
                                                       steady_clock::time_point)>;

/// Until somebody has enough of it.
void watch(terminal& screen, latest_sample& latest, const painter& draw) {
  std::uint64_t drawn = 0;
  std::chrono::seconds said{-1};
  for (bool changed = true;;) {
    std::string json;
    std::chrono::seconds silent{0};
    steady_clock::time_point at;
    {
      const std::lock_guard lock(latest.guard);
      const auto since = steady_clock::now() - latest.at;
      if (since > silence) silent = std::chrono::duration_cast<std::chrono::seconds>(since);
      changed = changed || latest.number != drawn || silent != said;
      if (changed) json = latest.json;
      at = latest.at;
      drawn = latest.number;
    }
    if (changed) {
      said = silent;
      if (json.empty())
        screen.show({{{silent.count() ? "no answer for " + std::to_string(silent.count()) + " s" : "asking the node",
                       tone::quiet}}});
      else
        screen.show(draw(json, screen.size(), silent, at));
    }
    const auto event = screen.wait();
    if (event == terminal::event::enough) return;
    changed = event == terminal::event::resized;
  }
}

int print_sample(node& n, const std::vector<std::string>& words, const painter& draw, bool json) {
  const auto reply = n.ask(words);
  if (!reply) return exit_unreachable;
  if (json || !reply->ok) {
    (reply->ok ? std::cout : std::cerr) << reply->json << "\n";
    return reply->ok ? 0 : 1;
  }
  for (const auto& line : draw(reply->json, one_sample, {}, steady_clock::now())) std::cout << text_of(line) << "\n";
  return 0;
}

} // namespace

int show_top(caf::actor_system& sys, const console_address& where, node& n, bool all, bool json) {
  const auto words = all ? std::vector<std::string>{"status", "--all"} : std::vector<std::string>{"overview"};
  nodes_screen nodes;
  const painter draw = [&nodes, all](auto& text, auto size, auto silent, auto at) {
    return all ? nodes.draw(text, size, silent, at) : draw_top(text, size, silent);
  };
  if (json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return print_sample(n, words, draw, json);
  auto latest = std::make_shared<latest_sample>();
  latest->words = n.line(words);
  const auto sampler = sys.spawn(sample, where, latest);
  const bool shown = [&] {
    terminal screen;
    if (screen.there()) watch(screen, *latest, draw);
    return screen.there();
  }();
  caf::anon_send_exit(sampler, caf::exit_reason::user_shutdown);
  return shown ? 0 : print_sample(n, words, draw, false); // a terminal that nobody knows how to draw on
}

} // namespace mainstay::ctl
