# The page's files are plain files in the source tree and text in the program: writes the .cc that
# holds them. A compiler takes literals of up to 65,535 characters.
set(HEADWAY_PAGE_FILES "")
foreach(name index.html style.css icon.svg theme.js main.js chats.js dom.js live.js markdown.js message_view.js server.js
             settings.js token_strip.js)
  set(file ${CMAKE_CURRENT_LIST_DIR}/${name})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  set(path /page/${name})
  if(name STREQUAL index.html)
    set(path /)
  endif()
  if(name MATCHES "\\.js$")
    set(type "text/javascript; charset=utf-8")
  elseif(name MATCHES "\\.css$")
    set(type "text/css; charset=utf-8")
  elseif(name MATCHES "\\.svg$")
    set(type "image/svg+xml")
  else()
    set(type "text/html; charset=utf-8")
  endif()
  string(APPEND HEADWAY_PAGE_FILES "    {\"${path}\", \"${type}\", R\"page(${text})page\"},\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/server/page/files.cc @ONLY CONTENT
"#include \"server/page/page.h\"
namespace headway::server {
namespace {
constexpr PageFile kPageFiles[] = {
@HEADWAY_PAGE_FILES@};
}  // namespace
std::span<const PageFile> PageFiles() { return kPageFiles; }
}  // namespace headway::server
")
target_sources(headway_server PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/server/page/files.cc)
