// Package natskv keeps flags in a NATS KV bucket, one key a flag.
//
// [Store] implements flags.Store: reads are the last revision of a key, writes are compare-and-set on it, so that two
// writers cannot both be right. [Bucket] makes the bucket. The value of a key is the flag's definition and nothing else:
// whatever reads flagd definitions can read it, and `nats kv get` shows it.
//
// In a cluster a read may come from a replica that lags; the write that rests on it is then refused as a conflict.
// The package never retries, starts no goroutine, and never touches a connection's options.
package natskv
