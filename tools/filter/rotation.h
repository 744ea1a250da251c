// When `weir filter` begins the next file, and how files are named.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

namespace weir::filter {

// When the next file is begun, and how it is named; 0 is unset. The rules are those of tcpdump 4.99
// (dump_packet_and_trunc and MakeFilename of tcpdump.c):
//  * max_bytes: a file that has grown past it is left before the next packet, and a number is added
//    to the name of each but the first.
//  * seconds: the same when so much time of the clock on the wall has passed; the name goes through
//    strftime, and a name that stays the same is written over.
//  * max_files: with max_bytes, the numbers begin again after so many files, and all have the same
//    number of digits; with seconds alone, the output ends with so many files.
// One rule is not tcpdump's, which packs files afterwards: the number comes before the .gz, .zst or
// .lz4 that a name ends in.
struct Rotation {
  std::uint64_t max_bytes = 0;
  std::uint32_t seconds = 0;
  std::uint32_t max_files = 0;
  bool any() const { return max_bytes != 0 || seconds != 0; }
  // Whether the numbers of names grow without end.
  bool unlimited() const { return max_bytes != 0 && max_files == 0; }
};

// The name of a file: the period began at `begun`, seconds since 1970, and `number` files of the
// period come before it.
std::string rotated_name(const std::string& path, const Rotation& rotation, std::time_t begun,
                         std::uint64_t number);

// The files there are whose names the rotation may come to; without rotation `path`, if it exists.
// Any name that a pattern of strftime may give counts, at whatever time.
std::vector<std::string> existing_files(const std::string& path, const Rotation& rotation);

}  // namespace weir::filter
