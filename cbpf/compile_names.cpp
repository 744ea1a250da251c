#include "cbpf/compile_names.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/ether.h>
#include <netinet/in.h>

#include <algorithm>
#include <string>
#include <utility>

#include "cbpf/known_names.h"
#include "cbpf/name_files.h"

namespace weir::cbpf {
namespace {

// libpcap's compiler hands no context to the functions it calls for names, so the thread is the
// context: only its calls are answered here.
thread_local NameLookup* current_lookup = nullptr;

// The C library's function that one of ours replaces.
template <typename Function>
Function* replaced(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// Says why a name was not found: its file cannot be read, or it may be known to the network alone.
void tell(NameLookup& lookup, std::string_view name, const Error* unreadable, bool by_network) {
  std::string why;
  if (unreadable != nullptr) {
    why = "it is no well-known name, and " + unreadable->place.file +
          " cannot be read: " + unreadable->message;
  } else if (by_network) {
    why = "names of hosts and networks are looked up outside of " + lookup.folder() +
          " only with --resolve";
  }
  lookup.not_found(name, std::move(why));
}

std::optional<std::uint16_t> find_protocol(NameLookup& lookup, std::string_view name) {
  if (const auto known = known_protocol(name)) {
    return known;
  }
  const auto found = protocol_in_file(lookup.folder(), name);
  if (found && *found) {
    return *found;
  }
  tell(lookup, name, found ? nullptr : &found.error(), false);
  return std::nullopt;
}

// A well-known service has the transports of the table, whatever the file says.
std::optional<std::uint16_t> find_port(NameLookup& lookup, std::string_view name,
                                       Transport transport) {
  if (is_known_service(name)) {
    return known_port(name, transport);
  }
  const auto found = port_in_file(lookup.folder(), name, transport);
  if (found && *found) {
    return *found;
  }
  tell(lookup, name, found ? nullptr : &found.error(), false);
  return std::nullopt;
}

using GetAddressInfo = int(const char*, const char*, const addrinfo*, addrinfo**);

// The number of a network, "10.20" being 10.20.0.0 as the C library reads /etc/networks.
in_addr_t network_number(std::string text) {
  for (auto dots = std::count(text.begin(), text.end(), '.'); dots < 3; ++dots) {
    text += ".0";
  }
  return inet_network(text.c_str());
}

// The addresses of a host, as one chain for freeaddrinfo(). An address stands for itself.
int find_addresses(NameLookup& lookup, const char* node, const addrinfo& hints,
                   addrinfo** addresses) {
  auto* const get = replaced<GetAddressInfo>("getaddrinfo");
  addrinfo numeric = hints;
  numeric.ai_flags |= AI_NUMERICHOST;
  const int status = get(node, nullptr, &numeric, addresses);
  if (status != EAI_NONAME) {
    return status;
  }
  const auto texts = addresses_in_file(lookup.folder(), node);
  addrinfo** last = addresses;
  *last = nullptr;
  if (texts) {
    for (const std::string& text : *texts) {
      if (get(text.c_str(), nullptr, &numeric, last) != 0) {
        *last = nullptr;  // No address, or of a family that is not wanted.
      }
      while (*last != nullptr) {
        last = &(*last)->ai_next;
      }
    }
  }
  if (*addresses != nullptr) {
    return 0;
  }
  if (lookup.resolve()) {
    return get(node, nullptr, &hints, addresses);
  }
  tell(lookup, node, nullptr, true);
  return EAI_NONAME;
}

int find_service(NameLookup& lookup, const char* service, const addrinfo& hints,
                 addrinfo** addresses) {
  auto* const get = replaced<GetAddressInfo>("getaddrinfo");
  const auto port = find_port(lookup, service,
                              hints.ai_protocol == IPPROTO_UDP ? Transport::kUdp : Transport::kTcp);
  if (port) {
    addrinfo numeric = hints;
    numeric.ai_flags |= AI_NUMERICSERV;
    return get(nullptr, std::to_string(*port).c_str(), &numeric, addresses);
  }
  return lookup.resolve() && !is_known_service(service) ? get(nullptr, service, &hints, addresses)
                                                        : EAI_SERVICE;
}

}  // namespace

NameLookup::NameLookup(std::string folder, bool resolve)
    : folder_(std::move(folder)), resolve_(resolve), outer_(current_lookup) {
  current_lookup = this;
}

NameLookup::~NameLookup() { current_lookup = outer_; }

NameLookup* NameLookup::current() { return current_lookup; }

void NameLookup::not_found(std::string_view name, std::string why) {
  name_ = name;
  why_ = std::move(why);
}

std::string NameLookup::reason(std::string_view sentence) const {
  const bool quoted = !name_.empty() && sentence.find(name_) != std::string_view::npos;
  return quoted ? why_ : std::string();
}

}  // namespace weir::cbpf

// ---- In the place of the C library's functions ----

extern "C" {

int getaddrinfo(const char* __restrict node, const char* __restrict service,
                const addrinfo* __restrict hints, addrinfo** __restrict addresses) {
  using namespace weir::cbpf;
  NameLookup* const lookup = NameLookup::current();
  if (lookup == nullptr || hints == nullptr || (node == nullptr) == (service == nullptr)) {
    return replaced<GetAddressInfo>("getaddrinfo")(node, service, hints, addresses);
  }
  return node != nullptr ? find_addresses(*lookup, node, *hints, addresses)
                         : find_service(*lookup, service, *hints, addresses);
}

int getprotobyname_r(const char* __restrict name, protoent* __restrict entry,
                     char* __restrict buffer, size_t size, protoent** __restrict result) {
  using namespace weir::cbpf;
  NameLookup* const lookup = NameLookup::current();
  auto* const pass_on = replaced<decltype(getprotobyname_r)>("getprotobyname_r");
  if (lookup == nullptr) {
    return pass_on(name, entry, buffer, size, result);
  }
  const auto number = find_protocol(*lookup, name);
  // libpcap reads an error of the C library as protocol 0; success without a result is "unknown".
  *result = nullptr;
  if (number) {
    *entry = {};
    entry->p_name = const_cast<char*>(name);
    entry->p_proto = *number;
    *result = entry;
  } else if (lookup->resolve() && pass_on(name, entry, buffer, size, result) != 0) {
    *result = nullptr;
  }
  return 0;
}

int getnetbyname_r(const char* __restrict name, netent* __restrict entry, char* __restrict buffer,
                   size_t size, netent** __restrict result, int* __restrict error) {
  using namespace weir::cbpf;
  NameLookup* const lookup = NameLookup::current();
  auto* const pass_on = replaced<decltype(getnetbyname_r)>("getnetbyname_r");
  if (lookup == nullptr) {
    return pass_on(name, entry, buffer, size, result, error);
  }
  *result = nullptr;
  const auto text = network_in_file(lookup->folder(), name);
  const in_addr_t number = text && *text ? network_number(**text) : INADDR_NONE;
  if (number != INADDR_NONE) {
    *entry = {};
    entry->n_name = const_cast<char*>(name);
    entry->n_addrtype = AF_INET;
    entry->n_net = number;
    *result = entry;
  } else if (!lookup->resolve()) {
    tell(*lookup, name, nullptr, true);
  } else if (pass_on(name, entry, buffer, size, result, error) != 0) {
    *result = nullptr;
  }
  return 0;
}

int ether_hostton(const char* name, ether_addr* address) noexcept {
  using namespace weir::cbpf;
  NameLookup* const lookup = NameLookup::current();
  if (lookup == nullptr) {
    return replaced<int(const char*, ether_addr*)>("ether_hostton")(name, address);
  }
  const auto text = ethernet_address_in_file(lookup->folder(), name);
  if (text && *text && ether_aton_r((*text)->c_str(), address) != nullptr) {
    return 0;
  }
  if (lookup->resolve()) {
    return replaced<int(const char*, ether_addr*)>("ether_hostton")(name, address);
  }
  tell(*lookup, name, text ? nullptr : &text.error(), true);
  return -1;
}

}  // extern "C"
