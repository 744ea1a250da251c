// The names in an expression, looked up for libpcap.
//
// libpcap's compiler calls the C library for the names of protocols, ports, hosts and networks:
// what they mean then hangs on /etc, on the machine's name services and on the network. While a
// NameLookup exists, those calls of its thread are answered here: well-known names from a table
// (known_names.h), others from the files in /etc. The C library's own functions (getaddrinfo,
// getprotobyname_r, getnetbyname_r, ether_hostton) are replaced in the whole program for that;
// every call outside of a NameLookup is passed on to the C library.
#pragma once

#include <string>
#include <string_view>

namespace weir::cbpf {

class NameLookup {
 public:
  // `folder`: where the machine's names are, "/etc". `resolve`: names that are found in neither are
  // looked up as the system does it, by the network too.
  NameLookup(std::string folder, bool resolve);
  ~NameLookup();
  NameLookup(const NameLookup&) = delete;
  NameLookup& operator=(const NameLookup&) = delete;

  const std::string& folder() const { return folder_; }
  bool resolve() const { return resolve_; }

  // For the functions that answer libpcap: `name` was not found, and why not if it is not plain.
  void not_found(std::string_view name, std::string why);

  // More about a sentence of libpcap's: why the name that it quotes was not found. Empty where
  // there is nothing to add.
  std::string reason(std::string_view sentence) const;

  // The one of this thread, or nullptr.
  static NameLookup* current();

 private:
  std::string folder_;
  bool resolve_;
  NameLookup* outer_;
  std::string name_;
  std::string why_;
};

}  // namespace weir::cbpf
