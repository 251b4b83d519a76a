// Package access checks what a Redis server can do and what it permits: the checks when a component
// starts, the permissions that each role needs, the rules that `rafka acl` prints, and the eviction
// policy. It writes nothing.
package access
