// Command serin takes releases to all of their traffic, step by step, and takes the bad ones back.
//
// Each file is one subcommand; main.go only begins and ends the process. The package wires: it reads the environment
// once, builds the adapters and hands them to the packages that decide. It decides nothing about a rollout itself.
package main
