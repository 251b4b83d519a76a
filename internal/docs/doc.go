// Package docs tests the documents: the links, files and functions that they name exist; their
// commands, configs and programs work; each promise has its tests; the examples run; and the
// remedies in error texts can be followed.
package docs
