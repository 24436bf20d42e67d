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
int redis_server_main(int argc, char **argv);
int redis_cli_main(int argc, char **argv);
int database_main(int argc, char **argv);
int mysql_main(int argc, char **argv); /* mysqladmin too */
int psql_main(int argc, char **argv);  /* pg_isready too */
int mongosh_main(int argc, char **argv);
int hello_main(int argc, char **argv);
int agnhost_main(int argc, char **argv);
int stress_main(int argc, char **argv);
int wordpress_main(int argc, char **argv);
int jenkins_main(int argc, char **argv);
int perl_main(int argc, char **argv);

#endif
