// Package admin lists, describes, grows and deletes topics, and lists, describes, moves and deletes
// groups, for the commands of cmd/rafka.
package admin
