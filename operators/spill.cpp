#include <flow/spill.hpp>

namespace flow {
namespace {

// A file is full once it is so large. It goes when nothing in it is needed any more, also where holes cannot be made.
constexpr std::uint64_t full = std::uint64_t{1} << 30;
// Of a file system: holes are made of whole ones.
constexpr std::uint64_t block = 4096;

}  // namespace

struct spill::file {
  std::unique_ptr<port::scratch> on;
  std::uint64_t end = 0;
};

result<spill::place> spill::claim(std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  if (!newest_ || newest_->end >= full) {
    auto opened = open_();
    if (!opened) return tl::unexpected{opened.error()};
    newest_ = std::make_shared<file>(*std::move(opened));
  }
  const auto begin = newest_->end;
  newest_->end += (bytes + block - 1) / block * block;
  return place{*this, newest_, begin, bytes};
}

void spill::complain(const failure& what) {
  {
    const std::lock_guard lock{mutex_};
    if (!complaints_.insert(what.text).second) return;
  }
  log_(severity::warn,
       "what the dedups have seen stays in memory, although it is more than it may be: " + to_string(what));
}

void spill::settle() {
  const std::lock_guard lock{mutex_};
  complaints_.clear();
}

spill::place::place(spill& of, std::shared_ptr<file> in, std::uint64_t begin, std::uint64_t size)
    : of_{&of}, in_{std::move(in)}, begin_{begin}, size_{size} {
  of_->on_disk_ += size_;
}

spill::place::place(place&& other) noexcept
    : of_{other.of_}, in_{std::move(other.in_)}, begin_{other.begin_}, size_{std::exchange(other.size_, 0)} {}

spill::place& spill::place::operator=(place&& other) noexcept {
  std::swap(of_, other.of_);
  std::swap(in_, other.in_);
  std::swap(begin_, other.begin_);
  std::swap(size_, other.size_);
  return *this;
}

spill::place::~place() {
  if (!in_) return;
  in_->on->drop(begin_, begin_ + size_);
  of_->on_disk_ -= size_;
}

result<void> spill::place::write(std::uint64_t at, std::span<const std::byte> what) {
  return in_->on->write(begin_ + at, what);
}

result<void> spill::place::read(std::uint64_t at, std::span<std::byte> into) const {
  return in_->on->read(begin_ + at, into);
}

}  // namespace flow
