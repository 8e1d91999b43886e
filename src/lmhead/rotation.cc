#include "lmhead/rotation.h"

#include <cmath>
#include <cstddef>

namespace headway::lmhead {
namespace {

// C = A^T A, [n, n].
std::vector<double> Gram(const std::vector<double>& a, size_t n) {
  std::vector<double> c(n * n, 0.0);
  for (size_t k = 0; k < n; ++k) {
    const double* row = &a[k * n];
    for (size_t i = 0; i < n; ++i) {
      const double factor = row[i];
      double* out = &c[i * n];
      for (size_t j = 0; j < n; ++j) out[j] += factor * row[j];
    }
  }
  return c;
}

// |A|_2 <= trace((A^T A)^4)^(1/8): for rounding errors, which look random, about 1.5 times the
// norm.
double NormBound(const std::vector<double>& a, size_t n) {
  const std::vector<double> squared = Gram(a, n);
  const std::vector<double> fourth = Gram(squared, n);  // symmetric: C^T C = C^2
  double trace = 0.0;
  for (const double value : fourth) trace += value * value;
  return std::pow(trace, 1.0 / 8.0) * (1.0 + 1e-9);
}

}  // namespace

Rotation DrawRotation(int64_t size, RandomBits* bits) {
  const auto n = static_cast<size_t>(size);
  // Columns of the Gaussian matrix as rows here; reflector j ends up in row j, entries j and on.
  std::vector<double> v(n * n);
  for (double& value : v) value = bits->NextNormal();
  std::vector<double> sign(n);
  for (size_t j = 0; j < n; ++j) {
    double* x = &v[j * n];
    double squares = 0.0;
    for (size_t i = j; i < n; ++i) squares += x[i] * x[i];
    const double norm = std::sqrt(squares);
    // R's diagonal entry is -copysign(norm, x[j]); Haar needs it positive.
    sign[j] = x[j] > 0.0 ? -1.0 : 1.0;
    x[j] += std::copysign(norm, x[j]);
    double length = 0.0;
    for (size_t i = j; i < n; ++i) length += x[i] * x[i];
    const double scale = length > 0.0 ? std::sqrt(2.0 / length) : 0.0;
    for (size_t i = j; i < n; ++i) x[i] *= scale;  // the reflection is I - x x^T
    for (size_t k = j + 1; k < n; ++k) {
      double* y = &v[k * n];
      double dot = 0.0;
      for (size_t i = j; i < n; ++i) dot += x[i] * y[i];
      for (size_t i = j; i < n; ++i) y[i] -= dot * x[i];
    }
  }
  Rotation rotation;
  rotation.n = size;
  std::vector<double>& q = rotation.exact;  // row k: the k-th column of Q
  q.assign(n * n, 0.0);
  for (size_t k = 0; k < n; ++k) {
    double* y = &q[k * n];
    y[k] = sign[k];
    for (size_t j = k + 1; j-- > 0;) {
      const double* x = &v[j * n];
      double dot = 0.0;
      for (size_t i = j; i < n; ++i) dot += x[i] * y[i];
      for (size_t i = j; i < n; ++i) y[i] -= dot * x[i];
    }
  }
  const auto stride = static_cast<size_t>(Rotation::Stride(size));
  rotation.stored.assign(n * stride, F16{0});
  std::vector<double> error(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      const F16 half = ToF16(static_cast<float>(q[i * n + j]));
      rotation.stored[i * stride + j] = half;
      error[i * n + j] = static_cast<double>(ToFloat(half)) - q[i * n + j];
    }
  }
  rotation.defect = NormBound(error, n) + 1e-11;  // what double precision lost
  return rotation;
}

}  // namespace headway::lmhead
