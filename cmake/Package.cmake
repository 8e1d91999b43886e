# `cpack` makes a Debian package of the command line tool, its manual page and its bash completion (-DHEADWAY_PACKAGE=ON;
# `./dev package`). Versions: include/headway/version.h alone, with an entry of CHANGELOG.md for each.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
file(STRINGS ${PROJECT_SOURCE_DIR}/CHANGELOG.md changes REGEX "^## [0-9]")
list(GET changes 0 newest)
if(NOT newest MATCHES "^## ${PROJECT_VERSION} ")
  message(FATAL_ERROR "CHANGELOG.md: expected '## ${PROJECT_VERSION} (date)' first, found '${newest}'")
endif()

set(pages ${PROJECT_BINARY_DIR}/manual)
file(MAKE_DIRECTORY ${pages})
add_custom_command(
  OUTPUT ${pages}/headway.1.gz ${pages}/headway.bash ${pages}/changelog.gz
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/manual.py $<TARGET_FILE:headway-cli>
          --man ${pages}/headway.1 --completion ${pages}/headway.bash
  COMMAND gzip -9nf ${pages}/headway.1
  COMMAND gzip -9nc ${PROJECT_SOURCE_DIR}/CHANGELOG.md > ${pages}/changelog.gz
  DEPENDS headway-cli ${PROJECT_SOURCE_DIR}/tools/manual.py ${PROJECT_SOURCE_DIR}/CHANGELOG.md VERBATIM)
add_custom_target(manual ALL DEPENDS ${pages}/headway.1.gz)
install(FILES ${pages}/headway.1.gz DESTINATION share/man/man1 COMPONENT tool)
install(FILES ${pages}/headway.bash DESTINATION share/bash-completion/completions RENAME headway COMPONENT tool)
install(FILES ${pages}/changelog.gz DESTINATION share/doc/headway COMPONENT tool)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION share/doc/headway RENAME copyright COMPONENT tool)

set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # packing builds nothing: the targets headway-cli and manual do
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME headway)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "Headway <headway@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "runs language models in GGUF on CPUs")
set(CPACK_DEBIAN_TOOL_DESCRIPTION "Headway decodes language models whose last matrix, the LM head, is the
bottleneck, and serves them over HTTP with OpenAI's API. Its certified head
reads a part of that matrix and still returns the token of the whole.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL tool)
set(CPACK_DEBIAN_TOOL_PACKAGE_NAME headway)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
include(CPack)
