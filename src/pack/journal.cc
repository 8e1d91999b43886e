#include "pack/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <utility>

#include "base/directory.h"
#include "base/file_tree.h"

namespace headway::pack {
namespace {

namespace fs = std::filesystem;

constexpr const char* kJournalName = "pack.journal";
constexpr uint64_t kMaxJournalBytes = uint64_t{64} << 20;

std::string JournalPath(const std::string& directory) {
  return (fs::path(directory) / kJournalName).string();
}

// The open, locked journal; -1 when there is none or a living process has it.
int Lock(const std::string& directory, int flags) {
  const int fd =
      ::open(JournalPath(directory).c_str(), O_RDWR | O_APPEND | O_CLOEXEC | flags, 0644);
  if (fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  if (fd >= 0) ::close(fd);
  return -1;
}

Result<void> Append(int fd, const std::string& directory, const std::string& line) {
  const ssize_t written = ::write(fd, line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size()) && ::fsync(fd) == 0) return {};
  return Fail(ErrorCode::kIo, fmt::format("{}: cannot write: {}", JournalPath(directory),
                                          written < 0 ? std::strerror(errno) : "short write"));
}

// The entries of a journal that begins with `request`; nothing when it begins with another one. A
// last line that was cut off is not an entry.
std::optional<std::map<std::string, FileEntry>> ReadEntries(const std::string& directory,
                                                            const std::string& request) {
  const auto text = ReadTextFile(JournalPath(directory), kMaxJournalBytes);
  if (!text) return std::nullopt;
  std::istringstream lines(*text);
  std::string line;
  if (!std::getline(lines, line) || line != request) return std::nullopt;
  std::map<std::string, FileEntry> entries;
  while (std::getline(lines, line)) {
    auto entry = FileEntryFromJsonLine(line);
    if (!entry) continue;
    const std::string path = entry->path;
    entries.insert_or_assign(path, *std::move(entry));
  }
  return entries;
}

// Half-written shards are in the way of their successors; finished ones and the journal stay.
void RemoveUnfinished(const std::string& directory,
                      const std::map<std::string, FileEntry>& finished) {
  const auto names = NamesIn(directory);
  if (!names) return;
  for (const std::string& name : *names) {
    if (name != kJournalName && finished.count(name) == 0)
      RemoveTree((fs::path(directory) / name).string());
  }
}

}  // namespace

Journal::Journal(Journal&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      directory_(std::move(other.directory_)),
      finished_(std::move(other.finished_)) {}

Journal& Journal::operator=(Journal&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(directory_, other.directory_);
  std::swap(finished_, other.finished_);
  return *this;
}

Journal::~Journal() {
  if (fd_ >= 0) ::close(fd_);
}

std::optional<FileEntry> Journal::Finished(const std::string& name) const {
  const auto found = finished_.find(name);
  if (found == finished_.end()) return std::nullopt;
  const auto tree = DigestTree((fs::path(directory_) / name).string());
  if (!tree || tree->bytes != found->second.bytes || tree->digest != found->second.digest)
    return std::nullopt;
  return found->second;
}

Result<void> Journal::Add(const FileEntry& file) {
  return Append(fd_, directory_, ToJsonLine(file));
}

void Journal::Remove() {
  std::error_code error;
  fs::remove(JournalPath(directory_), error);
}

Result<Construction> OpenConstruction(const std::string& target, bool replace,
                                      const std::string& request) {
  std::error_code ignored;
  const bool refused = fs::exists(target, ignored) && !replace;  // Create() says why
  for (const std::string& left :
       refused ? std::vector<std::string>() : AtomicDirectory::Unfinished(target)) {
    const int fd = Lock(left, 0);
    if (fd < 0) {  // its writer lives, or died before the journal or after the last rename
      if (AtomicDirectory::IsAbandoned(left)) RemoveTree(left);
      continue;
    }
    Journal journal(fd, left);
    auto entries = ReadEntries(left, request);
    if (!entries) {  // of another request, and its writer is gone
      RemoveTree(left);
      continue;
    }
    RemoveUnfinished(left, *entries);
    HW_TRY(AtomicDirectory directory, AtomicDirectory::Adopt(target, left, replace));
    journal.directory_ = directory.Path();
    journal.finished_ = *std::move(entries);
    return Construction{std::move(directory), std::move(journal)};
  }
  HW_TRY(AtomicDirectory directory, AtomicDirectory::Create(target, replace));
  const int fd = Lock(directory.Path(), O_CREAT);
  if (fd < 0) {
    return Fail(ErrorCode::kIo, fmt::format("{}: cannot create: {}", JournalPath(directory.Path()),
                                            std::strerror(errno)));
  }
  Journal journal(fd, directory.Path());
  HW_TRY_VOID(Append(fd, directory.Path(), request + "\n"));
  return Construction{std::move(directory), std::move(journal)};
}

}  // namespace headway::pack
