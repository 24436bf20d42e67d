/* guest.h - the programs in the guest binary. */
#ifndef STOWAGE_GUEST_H
#define STOWAGE_GUEST_H

int pause_main(int argc, char **argv);
int stub_main(int argc, char **argv);
int event_simulator_main(int argc, char **argv);
int nginx_main(int argc, char **argv);
int httpd_main(int argc, char **argv);
int curl_main(int argc, char **argv);
int df_main(int argc, char **argv);
int wget_main(int argc, char **argv);

#endif
