#include "base/file_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/directory.h"
#include "base/mapped_file.h"
#include "base/platform.h"

namespace headway {
namespace {

namespace fs = std::filesystem;

// A rename is durable only when the directory that holds the name is synced too.
void SyncDirectory(const std::string& path) {
  const int fd = ::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

std::string ParentOf(const std::string& path) { return fs::path(path).parent_path().string(); }

constexpr const char* kPartial = ".partial-";

std::string PartialName(const std::string& target) {
  return fmt::format("{}{}{}", target, kPartial, ::getpid());
}

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string ExistsText(const std::string& target) {
  return target + ": exists already; remove it or name another directory";
}

Result<void> CheckTarget(const std::string& target, bool replace) {
  std::error_code error;
  if (replace || !fs::exists(target, error)) return {};
  return Fail(ErrorCode::kInvalidInput, ExistsText(target));
}

}  // namespace

Result<FileWriter> FileWriter::Create(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) {
    return Fail(ErrorCode::kIo, fmt::format("{}: cannot create: {}", path, std::strerror(errno)));
  }
  return FileWriter(file, path);
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : file_(std::exchange(other.file_, nullptr)),
      path_(std::move(other.path_)),
      size_bytes_(other.size_bytes_),
      digest_(std::move(other.digest_)),
      blocks_(std::move(other.blocks_)) {}

FileWriter& FileWriter::operator=(FileWriter&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(path_, other.path_);
  std::swap(size_bytes_, other.size_bytes_);
  std::swap(digest_, other.digest_);
  std::swap(blocks_, other.blocks_);
  return *this;
}

FileWriter::~FileWriter() {
  if (file_ != nullptr) std::fclose(file_);
}

Result<void> FileWriter::Failed(int error) const {
  return Fail(ErrorCode::kIo, fmt::format("{}: cannot write: {}", path_, std::strerror(error)));
}

Result<void> FileWriter::Write(std::span<const std::byte> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) return Failed(errno);
  size_bytes_ += bytes.size();
  digest_.Update(bytes);
  blocks_.Update(bytes);
  return {};
}

Result<void> FileWriter::Write(std::string_view text) {
  return Write(std::as_bytes(std::span<const char>(text.data(), text.size())));
}

Result<void> FileWriter::PadTo(uint64_t alignment_bytes) {
  static constexpr std::array<std::byte, 4096> kZeros{};
  uint64_t missing = (alignment_bytes - size_bytes_ % alignment_bytes) % alignment_bytes;
  while (missing > 0) {
    const size_t piece = static_cast<size_t>(missing < kZeros.size() ? missing : kZeros.size());
    HW_TRY_VOID(Write(std::span<const std::byte>(kZeros).first(piece)));
    missing -= piece;
  }
  return {};
}

Result<void> FileWriter::Close() {
  if (file_ == nullptr) return {};
  std::FILE* file = std::exchange(file_, nullptr);
  const bool flushed = std::fflush(file) == 0 && ::fsync(::fileno(file)) == 0;
  const int error = errno;
  const bool closed = std::fclose(file) == 0;
  if (!flushed) return Failed(error);
  if (!closed) return Failed(errno);
  return {};
}

Result<AtomicDirectory> AtomicDirectory::Create(const std::string& target, bool replace) {
  std::error_code error;
  std::string clean = WithoutSlash(target);
  HW_TRY_VOID(CheckTarget(clean, replace));
  const std::string parent = ParentOf(clean);
  if (!parent.empty() && !fs::create_directories(parent, error) && error) {
    return Fail(ErrorCode::kIo,
                fmt::format("{}: cannot create directory: {}", parent, error.message()));
  }
  std::string path = PartialName(clean);
  RemoveTree(path);
  if (!fs::create_directory(path, error)) {
    return Fail(ErrorCode::kIo,
                fmt::format("{}: cannot create directory: {}", path, error.message()));
  }
  return AtomicDirectory(std::move(clean), std::move(path), replace);
}

std::vector<std::string> AtomicDirectory::Unfinished(const std::string& target) {
  const fs::path clean = WithoutSlash(target);
  const std::string prefix = clean.filename().string() + kPartial;
  std::vector<std::string> found;
  const auto names = NamesIn(clean.has_parent_path() ? clean.parent_path().string() : ".");
  if (!names) return found;
  for (const std::string& name : *names) {
    std::error_code ignored;
    const fs::path path = clean.parent_path() / name;
    if (name.starts_with(prefix) && fs::is_directory(path, ignored)) found.push_back(path.string());
  }
  return found;
}

Result<AtomicDirectory> AtomicDirectory::Adopt(const std::string& target,
                                               const std::string& unfinished, bool replace) {
  std::string clean = WithoutSlash(target);
  HW_TRY_VOID(CheckTarget(clean, replace));
  std::string path = PartialName(clean);
  std::error_code error;
  if (path != unfinished) {
    RemoveTree(path);
    fs::rename(unfinished, path, error);
    if (error)
      return Fail(ErrorCode::kIo,
                  fmt::format("{}: cannot rename: {}", unfinished, error.message()));
  }
  return AtomicDirectory(std::move(clean), std::move(path), replace);
}

AtomicDirectory::AtomicDirectory(AtomicDirectory&& other) noexcept
    : target_(std::move(other.target_)),
      path_(std::exchange(other.path_, std::string())),
      replace_(other.replace_) {}

AtomicDirectory& AtomicDirectory::operator=(AtomicDirectory&& other) noexcept {
  std::swap(target_, other.target_);
  std::swap(path_, other.path_);
  std::swap(replace_, other.replace_);
  return *this;
}

AtomicDirectory::~AtomicDirectory() {
  if (!path_.empty()) RemoveTree(path_);
}

Result<void> AtomicDirectory::Commit() {
  SyncDirectory(path_);
  if (!platform::RenameToNew(path_.c_str(), target_.c_str())) {
    const int error = errno;
    const bool taken = error == EEXIST || error == ENOTEMPTY || error == ENOTDIR;
    if (taken && !replace_) return Fail(ErrorCode::kInvalidInput, ExistsText(target_));
    if (!taken || !ReplaceTarget()) {
      return Fail(ErrorCode::kIo, fmt::format("{}: cannot rename into place: {}", target_,
                                              std::strerror(taken ? errno : error)));
    }
  }
  path_.clear();
  SyncDirectory(ParentOf(target_));
  return {};
}

// The old directory ends under the name of the new one and is removed. Where the file system cannot
// let names change places, the target is missing for a moment.
bool AtomicDirectory::ReplaceTarget() {
  if (platform::ExchangeNames(path_.c_str(), target_.c_str())) {
    RemoveTree(path_);
    return true;
  }
  const std::string old = path_ + ".old";
  if (::rename(target_.c_str(), old.c_str()) != 0) return false;
  if (::rename(path_.c_str(), target_.c_str()) != 0) {
    const int reason = errno;
    ::rename(old.c_str(), target_.c_str());
    errno = reason;
    return false;
  }
  RemoveTree(old);
  return true;
}

bool AtomicDirectory::IsAbandoned(const std::string& unfinished) {
  const size_t number = unfinished.rfind(kPartial);
  if (number == std::string::npos) return false;
  const char* const begin = unfinished.c_str() + number + std::strlen(kPartial);
  int64_t process_id = 0;
  const auto parsed = std::from_chars(begin, unfinished.c_str() + unfinished.size(), process_id);
  return parsed.ec == std::errc{} && process_id > 0 && !platform::IsAlive(process_id);
}

Result<std::string> ReadTextFile(const std::string& path, uint64_t max_bytes) {
  HW_TRY(const MappedFile file, MappedFile::Open(path));
  const auto bytes = file.Bytes();
  if (bytes.size() > max_bytes) {
    return Fail(ErrorCode::kInvalidInput, fmt::format("{}: expected at most {} bytes, found {}",
                                                      path, max_bytes, bytes.size()));
  }
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Result<void> WriteTextFileAtomically(const std::string& path, std::string_view text) {
  const std::string temporary = fmt::format("{}.partial-{}", path, ::getpid());
  HW_TRY(FileWriter writer, FileWriter::Create(temporary));
  Result<void> written = writer.Write(text);
  if (written) written = writer.Close();
  std::error_code error;
  if (written) fs::rename(temporary, path, error);
  if (!written || error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    if (!written) return written;
    return Fail(ErrorCode::kIo,
                fmt::format("{}: cannot rename into place: {}", path, error.message()));
  }
  SyncDirectory(ParentOf(path));
  return {};
}

}  // namespace headway
