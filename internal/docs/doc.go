// Package docs holds the tests of what people read: that README, DESIGN and CONTRIBUTING name what
// exists, that their commands and configurations work, that each promise has its tests, that the
// examples run, and that the remedies in error texts can be followed.
package docs
