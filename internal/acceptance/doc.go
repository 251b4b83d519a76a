// Package acceptance holds the tests that need the input and the output together, in the engine and
// on a real server: the suite that Benthos itself has for its components, whole pipelines through
// every kind of trouble, and the metrics.
package acceptance
