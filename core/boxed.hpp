// An optional that takes hardly any room while it is empty: for what most of many thousand requests never have.
#pragma once

#include <memory>
#include <optional>
#include <utility>

namespace mainstay {

template <class T>
class boxed {
public:
  boxed() = default;
  boxed(std::nullopt_t) {}
  boxed(T value) : box_(std::make_unique<T>(std::move(value))) {}
  boxed(boxed&&) noexcept = default;
  boxed& operator=(boxed&&) noexcept = default;
  boxed(const boxed& other) : box_(other ? std::make_unique<T>(*other) : nullptr) {}
  boxed& operator=(const boxed& other) { return *this = boxed(other); }
  ~boxed() = default;

  template <class... Args>
  T& emplace(Args&&... args) {
    box_ = std::make_unique<T>(std::forward<Args>(args)...);
    return *box_;
  }
  void reset() noexcept { box_.reset(); }

  explicit operator bool() const noexcept { return box_ != nullptr; }
  T& operator*() { return *box_; }
  const T& operator*() const { return *box_; }
  T* operator->() { return box_.get(); }
  const T* operator->() const { return box_.get(); }

private:
  std::unique_ptr<T> box_;
};

} // namespace mainstay
