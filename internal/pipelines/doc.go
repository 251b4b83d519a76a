// Package pipelines plays random Benthos pipelines from real components on a real Redis and judges
// what the sinks received and what the group committed. It has tests and nothing else.
//
// internal/acceptance has pipelines that were written by hand, internal/simulation has no engine
// and no Redis, and internal/ledger has real processes: here the engine's components around the
// rafka input and output are random.
//
// # How it works
//
// A plan is generated from a sequence of draws: topics, the input with its wrappers, processors,
// the tree of outputs, a schedule of failures, and stops. The same draws give the same plan, so a
// seed reproduces a plan, and a failing plan is shrunk by removing and lowering draws. Zero always
// draws the simplest alternative.
//
// Every message carries a token that survives mappings, merges and splits. Each generated component
// declares what it does with tokens: which messages it may drop on purpose, into how many pieces it
// splits a message, and whether the engine still knows which message is which behind it.
//
// # What must hold
//
//   - A committed offset covers only messages that reached the sinks that the tree of outputs
//     demands. This is checked while a pipeline runs, when it is stopped in the middle, and at the
//     end.
//   - At the end everything is committed. Messages that no sink accepts are never committed.
//   - Where the input and the components promise it, no message is written before an earlier one of
//     its key has reached its sinks.
//
// # What is left out
//
// Some components of the engine acknowledge what was not written, whatever the input does. The
// generator excludes exactly these combinations; each exclusion has a comment that names the file
// of the engine.
package pipelines
