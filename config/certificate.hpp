// The files of a certificate: read whole and judged when the configuration is read, so that what is served later cannot
// be wrong. Promises: every finding names the file and says what to do; nothing of a key stands in a text.
#pragma once

#include "config/settings.hpp"

#include <functional>
#include <string>

namespace mainstay::config {

enum class certificate_part { cert, key, ca };

struct certificate_paths {
  std::string cert, key;
  std::string ca; // empty: none is asked for
};

/// `error`: the certificate cannot be used; else a warning.
using certificate_finding = std::function<void(certificate_part, bool error, const std::string& what)>;

/// With an error, an empty certificate.
certificate read_certificate(const certificate_paths&, const certificate_finding&);

} // namespace mainstay::config
