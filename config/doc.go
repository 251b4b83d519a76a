// Package config holds what the input and the output share of their configuration: the fields of
// the connection, their parsing and checking, and the clients that result.
//
// Every check is written once, in Go. The constructor calls it ([ParseConnection]) and so does the
// linter, through a Bloblang method that a lint rule can call ([ConnectionLintRule],
// [RegisterLint]): what one refuses the other refuses, in the same words. Both see the same object:
// defaults filled in, optional fields that were left out missing.
//
// Passwords never appear in an error, in a lint or in what String prints.
package config
