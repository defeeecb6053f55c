#include "actors/peer_caller.hpp"

#include "actors/peer_heads.hpp"
#include "actors/turn.hpp"

namespace mainstay {

using words::journal_news;

void peer_caller::accepted(header_list headers, bytes_ptr) {
  tell(links_,
       send_to{peer_, "journal.answer",
               words::head(journal_news{n_, journal_news::way::pending, 202, std::move(headers)}), "", refused_});
}

void peer_caller::reply(int status, header_list headers, bytes_ptr body) {
  tell(links_, send_to{peer_, "journal.answer",
                       words::head(journal_news{n_, journal_news::way::answered, status, std::move(headers)}),
                       body ? *body : "", refused_});
}

} // namespace mainstay
