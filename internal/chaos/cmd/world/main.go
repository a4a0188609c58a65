package main

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"os"

	"github.com/serin-cd/serin/internal/chaos"
)

// helper is what a role has: where it listens, and where it writes down what it hears.
type helper struct {
	listener net.Listener
	log      *chaos.Lines
	nats     string
	to       string // of the proxy: addresses, separated by commas
}

var roles = map[string]func(helper, <-chan string) error{
	"prometheus": prometheus, "flagstore": flagstore, "subscriber": subscriber, "webhook": webhook, "proxy": proxy,
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "world:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	var h helper
	role := flag.String("role", "", "prometheus, flagstore, subscriber, webhook or proxy")
	log := flag.String("log", os.DevNull, "file for what is heard")
	flag.StringVar(&h.nats, "nats", "", "NATS servers, of the subscriber")
	flag.StringVar(&h.to, "to", "", "addresses, of the proxy")
	flag.Parse()
	play, ok := roles[*role]
	if !ok {
		return fmt.Errorf("there is no role %q", *role)
	}
	if h.log, err = chaos.Append(*log); err != nil {
		return err
	}
	if h.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	fmt.Println("listening on", h.listener.Addr())
	orders := make(chan string)
	go func() {
		defer close(orders)
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			orders <- lines.Text()
		}
	}()
	return play(h, orders)
}

// until waits for the end of the orders, or of what serves.
func until(orders <-chan string, serve func() error) error {
	failed := make(chan error, 1)
	go func() { failed <- serve() }()
	for {
		select {
		case err := <-failed:
			return err
		case _, ok := <-orders:
			if !ok {
				return nil
			}
		}
	}
}
