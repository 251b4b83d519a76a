// Package config holds the part of the configuration that the input and the output share: the
// fields of the connection, their parsing and checking, and the clients that result.
//
// Each check is written once, in Go. The constructor calls it ([ParseConnection]), and so does the
// linter, through a Bloblang method that a lint rule can call ([ConnectionLintRule],
// [RegisterLint]): both reject the same values with the same texts. Both check the same object:
// defaults are filled in, and optional fields that are not set are missing.
//
// Passwords never appear in an error, in a lint or in the result of String.
package config
