// Package pipelines runs random Benthos pipelines of real components on a real Redis, and checks
// what the sinks received and what the group committed. It consists of tests only.
//
// internal/acceptance has hand-written pipelines, internal/simulation has neither engine nor Redis,
// and internal/ledger has real processes. Here, the engine's components around the rafka input and
// output are random.
//
// # How it works
//
// A plan is generated from a sequence of draws: topics, the input with its wrappers, processors,
// the tree of outputs, a schedule of faults, and stops. The same draws give the same plan. A seed
// therefore reproduces a plan, and a failing plan is shrunk by removing and lowering draws. The
// draw 0 always selects the simplest alternative.
//
// Every message carries a token that survives mappings, merges and splits. Each generated component
// declares what it does with tokens: which messages it can drop on purpose, into how many pieces it
// splits a message, and whether the engine still knows which message is which after it.
//
// # Invariants
//
//   - A committed offset covers only messages that reached the sinks that the tree of outputs
//     requires. This is checked while a pipeline runs, when it is stopped in the middle, and at the
//     end. The same is true of every message that a share group has acknowledged.
//   - At the end everything is committed, and nothing is pending in a share group. Messages that no
//     sink accepts are never committed.
//   - Where the input and the components promise it, no message is written before an earlier
//     message of its key has reached its sinks.
//
// # Exclusions
//
// Some components of the engine acknowledge messages that were not written, whatever the input
// does. The generator excludes exactly these combinations; each exclusion has a comment that names
// the file of the engine.
package pipelines
