// Package acceptance tests the input and the output together, in the engine and on one real server:
// Benthos' own integration suite, whole pipelines through every kind of outage, and the metrics.
// internal/topology tests other deployments of Redis, internal/pipelines random pipelines.
package acceptance
