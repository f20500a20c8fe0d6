// Package linktest is a test only. The tests of torch/gotorch link gotorch's C++ library, which plain `make` does not
// build; here they are run where it is there, and otherwise skipped with the command that builds it.
package linktest
