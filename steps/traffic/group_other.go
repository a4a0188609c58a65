//go:build !unix

package traffic

import "os/exec"

// ownGroup leaves a cancelled context to kill the program alone: there are no process groups here.
func ownGroup(*exec.Cmd) {}

func killGroup(*exec.Cmd) {}
