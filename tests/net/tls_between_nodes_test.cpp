// Both ends of a mutual TLS connection as nodes have them: who lets whom in, and what either knows of why not.
#include "net/tls_stream.hpp"
#include "tests/support/certificates.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

namespace tls_between_nodes_test {

using namespace mainstay;
using mainstay::test::issue;
using mainstay::test::issued;

namespace {

tls_context context(const issued& own, const issued& authority, std::vector<std::string> names = {}) {
  return {own.cert, own.key, {authority.cert, std::move(names)}};
}

/// A connection; the one who accepts says a word as soon as it can.
struct connection {
  int ends[2];
  tls_stream dialling, accepting;
  bool there = false, let_in = false; // the word has come; the dialler was let in

  static const int* pair(int (&fds)[2]) {
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    return fds;
  }
  connection(const tls_context& dials, const tls_context& accepts)
    : dialling(dials, pair(ends)[0], tls_stream::side::dialling), accepting(accepts, ends[1]) {
    char room[16];
    for (bool ended[2] = {}; !there && !(ended[0] && ended[1]);) {
      if (!ended[0]) {
        const auto n = dialling.await();
        there = n > 0;
        ended[0] = n == 0 || (n < 0 && errno != EAGAIN);
        if (ended[0]) ::shutdown(ends[0], SHUT_RDWR);
      }
      if (!ended[1]) {
        const auto n = accepting.read(room, sizeof room);
        ended[1] = n == 0 || (n < 0 && errno != EAGAIN);
        if (ended[1]) ::shutdown(ends[1], SHUT_WR);
        const iovec word{const_cast<char*>("hello"), 5};
        if (!let_in && accepting.is_open() && !ended[1]) let_in = accepting.write(&word, 1) == 5;
      }
    }
  }
  ~connection() {
    for (int fd : ends) ::close(fd);
  }
};

const issued authority = issue("authority"), elsewhere = issue("elsewhere");
const issued node = issue("node", &authority), other = issue("other", &authority), stranger = issue("node", &elsewhere);

} // namespace

BOOST_AUTO_TEST_SUITE(tls_between_nodes)

BOOST_AUTO_TEST_CASE(nodes_of_one_authority_let_each_other_in) {
  const auto both = context(node, authority);
  connection c(both, both);
  BOOST_TEST((c.there && c.let_in));
  char word[16];
  BOOST_TEST(c.dialling.read(word, sizeof word) == 5);
}

BOOST_AUTO_TEST_CASE(of_another_authority_neither_end_is_let_in_and_the_dialler_knows_why) {
  const auto ours = context(node, authority), theirs = context(stranger, elsewhere);
  connection to_them(ours, theirs);
  BOOST_TEST(!to_them.there);
  BOOST_TEST(std::string(to_them.dialling.why()).find("certificate") != std::string::npos, to_them.dialling.why());
  const issued liar = issue("node", &elsewhere); // who trusts us, but is of nobody that we trust
  connection from_liar(context(liar, authority), ours);
  BOOST_TEST((!from_liar.there && !from_liar.let_in));
  BOOST_TEST(*from_liar.dialling.why() != '\0');
}

BOOST_AUTO_TEST_CASE(names_hold_for_who_dials_and_for_who_is_dialled) {
  const auto named = context(node, authority, {"node"}), unnamed = context(other, authority, {"node"});
  BOOST_TEST(connection(named, named).there);
  connection to_unnamed(named, unnamed), from_unnamed(unnamed, named);
  BOOST_TEST(!to_unnamed.there);
  BOOST_TEST((!from_unnamed.there && !from_unnamed.let_in));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace tls_between_nodes_test
