#include "cbpf/compile.h"

#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "cbpf/compile_error.h"
#include "cbpf/compile_names.h"
#include "cbpf/link_type.h"

namespace weir::cbpf {
namespace {

// libpcap keeps link types in 16 bits of a savefile; its own table ends well before.
constexpr int kLinkTypeEnd = 1024;

struct CloseHandle {
  void operator()(pcap_t* handle) const { pcap_close(handle); }
};

// A handle on a savefile of no packets, for what libpcap asks its handle beside the link type.
pcap_t* open_empty_savefile(const CompileOptions& options) {
  std::array<std::uint32_t, 6> header = {
      0xa1b2c3d4, 0, 0, 0, options.snaplen, linktype_of_dlt(options.link_type)};
  const std::array<std::uint16_t, 2> version = {2, 4};
  std::memcpy(&header[1], version.data(), sizeof version);
  if (options.swapped) {
    for (std::uint32_t& word : header) {
      word = __builtin_bswap32(word);
    }
    const std::array<std::uint16_t, 2> swapped = {0x0200, 0x0400};
    std::memcpy(&header[1], swapped.data(), sizeof swapped);
  }
  std::FILE* const file = fmemopen(header.data(), sizeof header, "r");
  if (file == nullptr) {
    return nullptr;
  }
  char why[PCAP_ERRBUF_SIZE] = {};
  pcap_t* const handle = pcap_fopen_offline(file, why);
  if (handle == nullptr) {
    std::fclose(file);
  }
  return handle;
}

// A handle that captures nothing and carries the link type and the snapshot length.
std::unique_ptr<pcap_t, CloseHandle> open_handle(const CompileOptions& options) {
  pcap_t* const savefile = options.savefile ? open_empty_savefile(options) : nullptr;
  return std::unique_ptr<pcap_t, CloseHandle>(
      savefile != nullptr ? savefile
                          : pcap_open_dead(options.link_type, static_cast<int>(options.snaplen)));
}

constexpr std::string_view kOutOfMemory = "out of memory";

// Whether libpcap's scanner gets memory: where it gets none it ends the program.
bool scanner_has_memory(const std::string& expression) {
  constexpr std::size_t kTables = std::size_t{64} << 10;
  const std::unique_ptr<char[]> probe(new (std::nothrow) char[expression.size() + kTables]);
  return probe != nullptr;
}

// Why not: libpcap's sentence, and what it does not know about a name. Both empty when all is well.
struct Refusal {
  std::string sentence;
  std::string reason;
};

// Compiles, or says in libpcap's words why not.
Refusal compile_into(Program& program, const std::string& expression,
                     const CompileOptions& options) {
  const std::unique_ptr<pcap_t, CloseHandle> handle = open_handle(options);
  if (!handle || !scanner_has_memory(expression)) {
    return {std::string(kOutOfMemory), {}};
  }
  const NameLookup lookup(std::string(options.etc), options.resolve);
  bpf_program compiled{};
  if (pcap_compile(handle.get(), &compiled, expression.c_str(), options.optimize ? 1 : 0,
                   options.netmask) != 0) {
    std::string sentence = pcap_geterr(handle.get());
    std::string reason = lookup.reason(sentence);
    return {std::move(sentence), std::move(reason)};
  }
  program.instructions.clear();
  program.instructions.reserve(compiled.bf_len);
  for (u_int i = 0; i < compiled.bf_len; ++i) {
    const bpf_insn& insn = compiled.bf_insns[i];
    program.instructions.push_back({insn.code, insn.jt, insn.jf, insn.k});
  }
  pcap_freecode(&compiled);
  return {};
}

// The place of byte `offset` in the text.
Place place_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t newline = before.rfind('\n');
  const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  return {.line = static_cast<std::uint32_t>(1 + std::count(before.begin(), before.end(), '\n')),
          .column = static_cast<std::uint32_t>(1 + offset - begin)};
}

}  // namespace

Result<Program> compile(const std::string& expression, const CompileOptions& options) {
  if (options.snaplen > static_cast<std::uint32_t>(std::numeric_limits<int>::max())) {
    return fail(ErrorCode::kUsage, "the snapshot length is more than 2147483647");
  }
  if (const std::size_t nul = expression.find('\0'); nul != std::string::npos) {
    return fail(ErrorCode::kSyntax, "the expression holds a null byte", place_of(expression, nul));
  }
  Program program;
  const auto [sentence, reason] = compile_into(program, expression, options);
  if (sentence.empty()) {
    return program;
  }
  if (sentence == kOutOfMemory) {
    return fail(ErrorCode::kSystem, sentence);
  }
  const std::string message = reason.empty() ? sentence : sentence + ": " + reason;
  const std::optional<Word> word =
      find_offender(expression, sentence, [&options](const std::string& part) {
        Program ignored;
        return compile_into(ignored, part, options).sentence;
      });
  if (!word) {
    return fail(ErrorCode::kSyntax, message);
  }
  return fail(ErrorCode::kSyntax, message, {}, caret_page(expression, word->offset, word->length));
}

Result<int> link_type_by_name(const std::string& name) {
  constexpr std::string_view kPrefix = "DLT_";
  for (const std::size_t skip : {std::size_t{0}, name.starts_with(kPrefix) ? kPrefix.size() : 0}) {
    const int number = pcap_datalink_name_to_val(name.c_str() + skip);
    if (number >= 0) {
      return number;
    }
  }
  return fail(ErrorCode::kUsage, "unknown link type '" + name +
                                     "'; EN10MB, RAW and LINUX_SLL2 are some, and "
                                     "pcap-linktype(7) has them all, without DLT_");
}

std::string link_type_name(int link_type) {
  const char* name = pcap_datalink_val_to_name(link_type);
  return name != nullptr ? name : "DLT " + std::to_string(link_type);
}

std::vector<LinkType> link_types() {
  std::vector<LinkType> types;
  for (int number = 0; number < kLinkTypeEnd; ++number) {
    const char* name = pcap_datalink_val_to_name(number);
    if (name == nullptr) continue;
    const char* description = pcap_datalink_val_to_description(number);
    types.push_back({number, name, description != nullptr ? description : ""});
  }
  return types;
}

std::string libpcap_version() { return pcap_lib_version(); }

}  // namespace weir::cbpf
