// Errors as values. Every fallible function of the libraries returns Result<T>; none throws, prints
// or exits. A foreign failure (errno, libpcap, libbpf) becomes an Error where the foreign call is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace weir {

// What kind of thing went wrong; decides the exit status of the command (`kUsage` 2, others 1).
enum class ErrorCode : std::uint8_t {
  kUsage,           // The call itself makes no sense: unknown option, unknown name.
  kSyntax,          // An expression, assembly or bytecode text that cannot be read.
  kInvalidProgram,  // A program that breaks a rule of its machine.
  kInvalidFile,     // A file that is not what it says, or breaks off.
  kUnsupported,     // Right, but this target, hook, kernel or build cannot do it.
  kNoInterface,     // A network interface that does not exist.
  kPermission,      // A privilege is missing.
  kBusy,            // Something foreign is in the way (another XDP program, say).
  kVerifier,        // The kernel's verifier refused the program.
  kDisagreement,    // Two engines gave different results.
  kSystem,          // Any other refusal of the operating system.
};

// Where it went wrong. Unset parts are not printed.
struct Place {
  std::string file;                          // As the user named it; empty for an expression.
  std::uint32_t line = 0;                    // From 1; 0 is unset.
  std::uint32_t column = 0;                  // From 1, in bytes; 0 is unset.
  std::optional<std::uint32_t> instruction;  // Index into the program, from 0.
};

struct Error {
  ErrorCode code = ErrorCode::kSystem;
  std::string message;  // One sentence, lower case, no full stop.
  Place place;
  std::string detail;  // More lines for whoever wants them: a caret page, the verifier's words.
};

template <typename T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

// Builds the failing side of a Result: `return fail(ErrorCode::kSyntax, "…", {.line = 3});`
inline tl::unexpected<Error> fail(ErrorCode code, std::string message, Place place = {},
                                  std::string detail = {}) {
  return tl::make_unexpected(Error{code, std::move(message), std::move(place), std::move(detail)});
}

// "FILE:LINE:COLUMN: instruction N: MESSAGE", leaving out what is unset; the detail is not
// included. Control bytes, which files and names may bring along, are written \xNN, but for
// newline and tab.
std::string to_string(const Error& error);

// The caret page of a text: the line of `text` that holds byte `offset` (from 0) and under it a
// caret with `length` - 1 tildes. Tabs keep their width. Two lines, no newline at the end.
std::string caret_page(std::string_view text, std::size_t offset, std::size_t length = 1);

}  // namespace weir
