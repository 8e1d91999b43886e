#pragma once

// What of a package must be the same on all ranks, and what one of them reads.

#include <string>
#include <vector>

#include "base/result.h"
#include "distributed/hosts.h"
#include "manifest/manifest.h"

namespace headway::distributed {

// A line each for the model, its files and its heads: equal lists, equal tokens. Planes may differ,
// since they are random and rows that are computed exactly decide. Tokenizers, goldens and reports
// are rank 0's alone.
std::vector<std::string> Identity(const Manifest& manifest);
// Where two lists part: "expected ..., found ..."; empty: they are equal.
std::string Difference(const std::vector<std::string>& expected,
                       const std::vector<std::string>& found);

// The files that `rank` computes with.
std::vector<FileEntry> FilesOf(const Hosts& hosts, int rank, const Manifest& manifest,
                               const HeadSpec& head);
// Compares them with their digests. Errors: those of CheckTree().
Result<void> CheckFiles(const std::string& directory, const std::vector<FileEntry>& files);

}  // namespace headway::distributed
