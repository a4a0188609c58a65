//go:build !unix

package flagdfile

import (
	"errors"
	"io/fs"
	"os"
)

// tryLock refuses: the daemon does not run here.
func tryLock(*os.File) (bool, error) {
	return false, errors.New("flag files are written on Linux and macOS only")
}

func keepOwner(*os.File, fs.FileInfo) error { return nil }

func syncDirectory(string) error { return nil }
