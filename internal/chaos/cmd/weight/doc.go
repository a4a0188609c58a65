// Command weight is what the exec movers of a chaos run call: it tells the flag store a share under a key, or asks for it.
//
//	weight ADDRESS set KEY SERVICE SHARE
//	weight ADDRESS read SERVICE
package main
