#include "tools/weir/filter_input.h"

#include <arpa/inet.h>

#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "cbpf/base/printable.h"
#include "cbpf/compile.h"
#include "cbpf/text/assemble.h"
#include "cbpf/text/text.h"
#include "cbpf/validate.h"
#include "translator/frontend/compile.h"
#include "translator/frontend/tokens.h"
#include "translator/translate.h"

namespace weir::tool {
namespace {

constexpr std::size_t kMaxDiagnostics = 20;
constexpr std::size_t kMaxTextFile = 256U << 20;

// All diagnostics of an assembly as one error: the first is the sentence, the others its detail.
Error joined(const std::vector<Error>& errors, const std::string& file) {
  Error first = errors.front();
  first.place.file = file;
  for (std::size_t i = 1; i < errors.size() && i < kMaxDiagnostics; ++i) {
    Error next = errors[i];
    next.place.file = file;
    first.detail += (first.detail.empty() ? "weir: " : "\nweir: ") + printable(to_string(next));
  }
  return first;
}

Result<cbpf::Program> read_assembly(const FilterText& filter) {
  auto program = cbpf::assemble(filter.text);
  if (!program) {
    return tl::make_unexpected(joined(program.error(), filter.file));
  }
  return std::move(*program);
}

Result<cbpf::Program> read_bytecode(const FilterText& filter) {
  auto program = cbpf::read_program(filter.text);
  if (!program) {
    program.error().place.file = filter.file;
  }
  return program;
}

Result<cbpf::Dialect> read_dialect(const Options& options) {
  const std::string name = options.get("dialect", "libpcap");
  if (name == "libpcap") {
    return cbpf::Dialect::kLibpcap;
  }
  if (name == "linux") {
    return cbpf::Dialect::kLinux;
  }
  return fail(ErrorCode::kUsage, "--dialect takes libpcap or linux, not '" + name + "'");
}

// Who makes the classic program shorter before anybody else sees it.
enum class Optimizer : std::uint8_t { kNone, kLibpcap, kWeir };

Result<Optimizer> read_optimizer(const Options& options) {
  const std::string name = options.get("optimizer", "none");
  if (name != "none" && name != "libpcap" && name != "weir") {
    return fail(ErrorCode::kUsage, "--optimizer takes none, libpcap or weir, not '" + name + "'");
  }
  if (name == "none" || options.has("no-optimize")) {
    return Optimizer::kNone;
  }
  return name == "libpcap" ? Optimizer::kLibpcap : Optimizer::kWeir;
}

// A filter may be read again, for packets of another link type; stdin could not be.
Result<std::string> read_list(const std::string& path) {
  if (path == "-") {
    return fail(ErrorCode::kUsage, "a list is read from a file, not from stdin");
  }
  return read_text_file(path);
}

// "255.255.255.0" or "/24".
Result<std::uint32_t> read_netmask(const Options& options, std::uint32_t otherwise) {
  if (!options.has("netmask")) {
    return otherwise;
  }
  const std::string text = options.get("netmask");
  const auto wrong =
      fail(ErrorCode::kUsage,
           "--netmask takes a mask (255.255.255.0) or a length (/24), not '" + text + "'");
  if (text.starts_with('/')) {
    unsigned bits = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + 1, end, bits);
    if (error != std::errc() || stop != end || bits > 32) {
      return wrong;
    }
    return bits == 0 ? 0 : ~std::uint32_t{0} << (32 - bits);
  }
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) {
    return wrong;
  }
  const std::uint32_t mask = ntohl(address.s_addr);
  if (std::countl_one(mask) + std::countr_zero(mask) < 32) {
    return wrong;
  }
  return mask;
}

// Blanks the remarks, so that columns stay what they are in the file.
void blank_remarks(std::string& text) {
  bool remark = false;
  for (char& c : text) {
    remark = c != '\n' && (remark || c == '#');
    c = remark ? ' ' : c;
  }
}

// What an expression is compiled with.
struct ExpressionSettings {
  TrafficSource source;
  bool by_libpcap = false;  // Optimised by libpcap.
  bool resolve = false;
};

Result<cbpf::Program> make_program(const FilterText& filter, const ExpressionSettings& settings,
                                   FilterInput& input) {
  switch (filter.form) {
    case FilterText::Form::kAssembly:
      return read_assembly(filter);
    case FilterText::Form::kBytecode:
      return read_bytecode(filter);
    case FilterText::Form::kExpression:
      break;
  }
  input.text = filter.text;
  auto compiled = frontend::compile(input.text, {.compile = {.link_type = input.link_type,
                                                             .snaplen = input.snaplen,
                                                             .optimize = settings.by_libpcap,
                                                             .savefile = settings.source.savefile,
                                                             .swapped = settings.source.swapped,
                                                             .netmask = settings.source.netmask,
                                                             .resolve = settings.resolve},
                                                 .read_file = read_list});
  if (!compiled) {
    Error error = std::move(compiled).error();
    if (error.place.file.empty()) {
      error.place.file = filter.file;  // Else it is about a list.
    }
    return tl::make_unexpected(std::move(error));
  }
  input.set_tests = std::move(compiled->tests);
  return std::move(compiled->program);
}

}  // namespace

Result<FilterText> read_filter_text(const Options& options) {
  const bool words = !options.words().empty();
  const int other_forms = static_cast<int>(options.has("asm")) + options.has("bytecode");
  if (other_forms > 1 || (other_forms == 1 && (words || options.has("expression-file")))) {
    return fail(
        ErrorCode::kUsage,
        "the filter is given twice: an expression, --asm and --bytecode exclude each other");
  }
  if (words && options.has("expression-file")) {
    return fail(ErrorCode::kUsage, "an expression is given beside the one in -F's file");
  }
  FilterText filter;
  const char* option = "expression-file";
  if (options.has("asm")) {
    option = "asm";
    filter.form = FilterText::Form::kAssembly;
  } else if (options.has("bytecode")) {
    option = "bytecode";
    filter.form = FilterText::Form::kBytecode;
  } else if (!options.has("expression-file")) {
    filter.text = options.expression();
    return filter;
  }
  filter.file = options.get(option);
  filter.from_stdin = filter.file == "-";
  auto text = read_text_file(filter.file);
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  filter.text = std::move(*text);
  if (filter.form == FilterText::Form::kExpression) {
    blank_remarks(filter.text);
    filter.text.erase(filter.text.find_last_not_of(" \t\r\n") + 1);
  }
  return filter;
}

std::vector<std::string> list_files(const std::string& expression) {
  std::vector<std::string> files;
  for (const frontend::Token& token : frontend::tokenize(expression)) {
    if (token.kind == frontend::TokenKind::kFile) {
      files.emplace_back(token.text);
    }
  }
  return files;
}

std::vector<OptionSpec> filter_input_options(const std::vector<OptionSpec>& more,
                                             std::string_view optimizer) {
  std::vector<OptionSpec> options = {
      {"expression-file", 'F', OptionKind::kValue, "FILE", "read the expression from FILE"},
      {"asm", 0, OptionKind::kValue, "FILE",
       "the filter is assembly (the kernel's bpf_asm grammar), '-' is stdin"},
      {"bytecode", 0, OptionKind::kValue, "FILE",
       "the filter is bytecode: tcpdump -d, -dd, -ddd, xt_bpf or JSON"},
      {"linktype", 'y', OptionKind::kValue, "TYPE",
       "link type the filter is for (EN10MB); packets that are\nread or made have their own, and "
       "it is not used"},
      {"snapshot-length", 's', OptionKind::kValue, "BYTES",
       "accept length of a match (262144); 0 is the default"},
      {"netmask", 0, OptionKind::kValue, "MASK",
       "of `ip broadcast`: 255.255.255.0 or /24; without it the\ninterface's own, elsewhere 0"},
      {"resolve", 0, OptionKind::kFlag, "",
       "look up names of hosts and networks in the network (DNS)"},
      {"dialect", 0, OptionKind::kValue, "NAME",
       "whose reading of classic programs holds: libpcap (default) or linux"},
      {"optimizer", 0, OptionKind::kValue, "NAME",
       optimizer == "weir"
           ? "what optimises the classic program: weir (default for\nexpressions), libpcap or none"
           : "what optimises the classic program: none (default), libpcap\nor weir"},
      {"no-optimize", 'O', OptionKind::kFlag, "", "the same as --optimizer none"},
  };
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

Result<FilterInput> read_filter_input(const Options& options, const TrafficSource& source) {
  const auto filter = read_filter_text(options);
  return filter ? make_filter_input(*filter, options, source) : tl::make_unexpected(filter.error());
}

Result<FilterInput> make_filter_input(const FilterText& filter, const Options& options,
                                      const TrafficSource& source) {
  FilterInput input;
  input.link_type = source.link_type;
  if (options.has("linktype")) {
    const auto named = cbpf::link_type_by_name(options.get("linktype"));
    if (!named) {
      return tl::make_unexpected(named.error());
    }
    if (!source.savefile && !source.own_link_type) {
      input.link_type = *named;
    }
  }
  const auto snaplen = options.number("snapshot-length", 0, 0, 0x7fffffff);
  if (!snaplen) {
    return tl::make_unexpected(snaplen.error());
  }
  input.snaplen = *snaplen == 0 ? cbpf::kDefaultSnaplen : static_cast<std::uint32_t>(*snaplen);
  const auto dialect = read_dialect(options);
  if (!dialect) {
    return tl::make_unexpected(dialect.error());
  }
  const auto optimizer = read_optimizer(options);
  if (!optimizer) {
    return tl::make_unexpected(optimizer.error());
  }
  const auto netmask = read_netmask(options, source.netmask);
  if (!netmask) {
    return tl::make_unexpected(netmask.error());
  }
  ExpressionSettings settings = {source, *optimizer == Optimizer::kLibpcap, options.has("resolve")};
  settings.source.netmask = *netmask;
  auto program = make_program(filter, settings, input);
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  auto validated = cbpf::validate(std::move(*program), *dialect);
  if (validated && *optimizer == Optimizer::kWeir && input.set_tests.empty()) {
    validated = translate_classic(*validated, {.link_type = input.link_type});
  }
  if (!validated) {
    return tl::make_unexpected(validated.error());
  }
  input.program.emplace(std::move(*validated));
  return input;
}

Result<std::string> read_text_file(const std::string& path) {
  const auto refuse = [&] {
    return fail(ErrorCode::kSystem, std::strerror(errno),
                {.file = path == "-" ? "standard input" : path});
  };
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> owned(nullptr, std::fclose);
  std::FILE* file = stdin;
  if (path != "-") {
    owned.reset(std::fopen(path.c_str(), "re"));
    file = owned.get();
    if (file == nullptr) {
      return refuse();
    }
  }
  std::string text;
  char block[65536];
  while (const std::size_t n = std::fread(block, 1, sizeof block, file)) {
    text.append(block, n);
    if (text.size() > kMaxTextFile) {
      return fail(ErrorCode::kInvalidFile, "the file is longer than 256 MiB", {.file = path});
    }
  }
  if (std::ferror(file) != 0) {
    return refuse();
  }
  return text;
}

}  // namespace weir::tool
