// The node's certificate where CAF reads it: at every connection anew, by the names of files, and with the end of the
// process where they are wrong. So it reads copies in memory of what was judged when the configuration was read.
// Promises: whatever becomes of the files on the disk, connections are made with a whole and fitting set.
#pragma once

#include "config/settings.hpp"

namespace mainstay {

class console_tls {
public:
  /// Throws std::system_error.
  explicit console_tls(const config::certificate&);
  ~console_tls();
  console_tls(const console_tls&) = delete;
  console_tls& operator=(const console_tls&) = delete;

  /// Of connections to come. To be called on the thread that makes them.
  void replace(const config::certificate&);
  /// Certificate and key are one file.
  std::string certificate_path() const;
  std::string authority_path() const;

private:
  const int certificate_, authority_;
};

} // namespace mainstay
