// Lays what operators changed of the clients over what the configuration says of them. Pure.
#pragma once

#include "config/settings.hpp"
#include "core/client_changes.hpp"

#include <map>
#include <string>

namespace mainstay::config {

/// The configuration with the changes, which beat it. Without changes it is the same object.
settings_ptr with_changes(settings_ptr file, const std::map<std::string, client_change>&);

/// Whose keys are whose: to be made when the clients are as they are to be.
std::shared_ptr<const key_ring> ring_of(const std::vector<client_settings>&);

} // namespace mainstay::config
