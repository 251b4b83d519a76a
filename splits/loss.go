package splits

// Loss is what a split turned out to have lost before it was read: entries that were trimmed or
// deleted, or a stream that is not the one that was read before.
type Loss struct {
	Split Split
	// After is the position behind which the entries are missing.
	After Offset
	// Entries is how many were never read; at least so many if not Exact. A stream that was
	// recreated may have lost more than anybody has seen of it, so 0 is possible there.
	Entries int64
	Exact   bool
	// Recreated says that the stream was deleted and made anew, or went back in time; Gone that it
	// is not there at all.
	Recreated, Gone bool
	// Spent says that the stream alone went away after everything that was seen of it had been
	// read, as one that expires does. Nothing is known to be lost.
	FullyRead bool
	// Undone is how many entries that had been read went with it, as far as the counts tell.
	ReadLost int64
	// From is the position behind which reading goes on, if Recreated or Gone.
	From Offset
	// Stopped says that the split is not read on, for Config.FailOnLoss is set.
	Stopped bool
}
