#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace flow {

/// `text` with "***" wherever one of `secrets` stands, short ones only as words of their own: within a longer run of
/// letters and digits they are there by chance, and to cut them out would tell what they are. Of secrets that overlap
/// nothing is left.
inline std::string masked(std::string_view text, const std::vector<std::string>& secrets) {
  const auto is_letter = [&](std::size_t at) {
    return at < text.size() && std::isalnum(static_cast<unsigned char>(text[at])) != 0;
  };
  const auto within_word = [&](std::size_t at) { return at > 0 && is_letter(at - 1) && is_letter(at); };
  constexpr std::size_t never_by_chance = 8;
  std::vector<bool> hidden(text.size());
  for (const std::string& secret : secrets) {
    if (secret.empty()) continue;
    for (auto at = text.find(secret); at != std::string_view::npos; at = text.find(secret, at + 1))
      if (secret.size() >= never_by_chance || (!within_word(at) && !within_word(at + secret.size())))
        std::fill_n(hidden.begin() + static_cast<std::ptrdiff_t>(at), secret.size(), true);
  }
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!hidden[i]) {
      out += text[i];
    } else if (i == 0 || !hidden[i - 1]) {
      out += "***";
    }
  }
  return out;
}

}  // namespace flow
