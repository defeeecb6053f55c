# What an installation consists of, and the Debian package of it: `cpack` in the build folder.
include(GNUInstallDirs)
set(examples ${CMAKE_INSTALL_DOCDIR}/examples)
set(packaged ${CMAKE_BINARY_DIR}/packaging)

# The prices have a place of their own there.
file(READ ${CMAKE_SOURCE_DIR}/config/mainstay.yaml config)
string(REPLACE "config/prices.json" "/usr/share/mainstay/prices.json" installed_config "${config}")
if(installed_config STREQUAL config)
  message(FATAL_ERROR "config/mainstay.yaml names no price list")
endif()
file(WRITE ${packaged}/mainstay.yaml "${installed_config}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/config/mainstay.yaml)

install(TARGETS mainstayd mainstayctl mainstay-mock mainstay-load RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${packaged}/mainstay.yaml DESTINATION /etc/mainstay)
install(FILES config/prices.json DESTINATION ${CMAKE_INSTALL_DATADIR}/mainstay)
install(FILES packaging/systemd/mainstay.service DESTINATION lib/systemd/system)
install(DIRECTORY config/prometheus config/grafana DESTINATION ${examples})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")
install(FILES packaging/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
execute_process(COMMAND gzip -9n INPUT_FILE ${CMAKE_SOURCE_DIR}/packaging/debian/changelog OUTPUT_FILE ${packaged}/changelog.gz
  COMMAND_ERROR_IS_FATAL ANY)
install(FILES ${packaged}/changelog.gz DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON) # no need of the tests' programs: what is packaged is to be built before
set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_CONTACT "Mainstay maintainers <maintainers@mainstay.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "LLM gateway that keeps answers coming")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Mainstay stands between applications and the providers of language
models, and keeps answers coming while providers limit, stall, break or
disappear. Applications talk to one address, over HTTP in OpenAI's format or
over ZeroMQ; Mainstay picks a provider, a key and a moment, and tries the
next way when one fails.
.
This package holds the daemon, its console, a scripted fake provider and a
load generator.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "redis-server, prometheus")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
foreach(part conffiles postinst prerm postrm)
  list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/packaging/debian/${part})
endforeach()
include(CPack)
