#pragma once

// The files of the page at "/": plain files of this folder, part of the program (files.cmake).

#include <span>
#include <string_view>

namespace headway::server {

struct PageFile {
  std::string_view path;  // "/", "/page/main.js"
  std::string_view content_type;
  std::string_view bytes;
};

// All of them.
std::span<const PageFile> PageFiles();
// Null: there is no such file.
const PageFile* FindPageFile(std::string_view path);

}  // namespace headway::server
