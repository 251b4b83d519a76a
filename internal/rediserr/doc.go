// Package rediserr classifies the errors of Redis and its client ([Classify]), and adds to them
// what a user can do about them ([Explain]).
package rediserr
