package input

import "github.com/rafka-streams/rafka/splits"

// Adopting logs that a partition begins with what is pending in a Redis consumer group.
func (o *observer) Adopting(s splits.Split, from string) {
	o.log.Infof("Partition %s continues where the Redis consumer group %s stands: what is pending there comes first",
		s, from)
}

// Adopted logs that nothing is pending in a Redis consumer group any more.
func (o *observer) Adopted(s splits.Split, from string) {
	o.log.Infof("Partition %s: nothing is pending in the Redis consumer group %s any more, rafka has taken its place",
		s, from)
}
