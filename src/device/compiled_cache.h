#pragma once

// What a system makes of a device's programs before it runs them, kept between runs, because that
// takes minutes for a large one: in `compiled` of the user's cache, whose packages and this are
// listed and emptied together (pack/cache_contents.h). An entry is a directory named after its
// program's path and contents, with the compiled program and the path in a file `source`.

#include <string>

#include "base/result.h"

namespace headway {

inline constexpr const char* kCompiledFolder = "compiled";  // of the cache

class CompiledCache {
 public:
  // The directory is made. Errors: kInvalidInput (another user's, or everybody may write there),
  // kIo, kNotFound (the environment names none).
  static Result<CompiledCache> Open();

  // What is kept for the program at `source`, an absolute path; empty: nothing. `key` is different
  // whenever it would be compiled otherwise. Errors: kInvalidInput (somebody else's).
  Result<std::string> Find(const std::string& source, const std::string& key) const;

  // Moves `compiled` there, a directory, or copies it where the cache lies on another disk; when
  // another process was first, its entry stays. Then earlier entries of that program go, and those
  // whose program is gone: a process that runs one has it open. Returns as Find(). Errors: kIo.
  Result<std::string> Keep(const std::string& source, const std::string& key,
                           const std::string& compiled) const;

 private:
  explicit CompiledCache(std::string directory) : directory_(std::move(directory)) {}
  std::string EntryOf(const std::string& source, const std::string& key) const;
  void RemoveOld(const std::string& source, const std::string& kept) const;

  std::string directory_;
};

// The program that the entry at `path` was compiled from; empty: no entry.
std::string SourceOfCompiled(const std::string& path);

}  // namespace headway
