// Package flagdfile keeps flags in a flagd document in a file, which flagd or in-process providers read.
//
// [Store] implements flags.Store. A write changes the fields of one flag that differ, and no other byte of the file:
//
//	lock FILE.lock ──► read, compare the revision ──► temporary file beside it: write, owner and mode, fsync
//	                                                       └──► the file is still as read ──► rename ──► fsync directory
//
// # What it guarantees
//
// A reader sees the old document or the new one, whole, and never one that flagd refuses: the new text is parsed before
// the rename. Two Serin writers exclude each other by a lock on FILE.lock, which stays. A revision is made of what the
// flag says, so an edit by a person between a read and the write that rests on it is a conflict. An editor takes no lock:
// what it saves in the moment between the last look at the file and the rename (microseconds) is lost. Mode and owner are
// kept, or the write is refused; access lists and other attributes are not kept.
//
// # Design
//
// What cannot be replaced by a rename is refused with the cure: a mounted ConfigMap, a file that is a mount of its own,
// a directory that Serin may not write. A link to a file is followed, and the file it names is replaced. YAML is refused:
// an edit would lose its comments. A missing file is an error, not a missing flag: a mistyped path must not become a
// file that nobody reads.
package flagdfile
