package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "weight:", err)
		os.Exit(1)
	}
}

// run asks one line and prints the answer.
func run(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: weight ADDRESS set KEY SERVICE SHARE, or weight ADDRESS read SERVICE")
	}
	conn, err := net.DialTimeout("tcp", args[0], 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(conn, strings.Join(args[1:], " ")); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if said, bad := strings.CutPrefix(answer, "error "); bad {
		return errors.New(strings.TrimSpace(said))
	}
	_, err = fmt.Print(answer)
	return err
}
