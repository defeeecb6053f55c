// What --version prints; a build that knows the project's version defines it.
#pragma once

#ifndef MAINSTAY_VERSION
#define MAINSTAY_VERSION "0.1.0"
#endif
